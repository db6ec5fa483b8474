"""The command line, driven in process; what needs a process of its own says so."""
