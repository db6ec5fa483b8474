"""Reports and exports, from records alone."""
