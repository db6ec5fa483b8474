"""Pictures. Only this package knows the plotting library."""
