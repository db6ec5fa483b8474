"""Child processes, temporary folders and git: what a command could leave on the machine."""
