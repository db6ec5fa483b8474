"""The rules of the layouts, on values."""
