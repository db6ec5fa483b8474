"""Pictures of records. Only this package uses the plotting library."""
