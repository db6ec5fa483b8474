"""Programs that exist only for tests: other people's clients and workers."""
