"""The files that commands write and read back: run, comparison, capacity and clients records."""
