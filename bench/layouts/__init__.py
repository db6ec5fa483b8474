"""Task-queue layouts: one folder each, and the registry through which other code finds them."""
