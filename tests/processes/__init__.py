"""Child processes, temporary folders and git."""
