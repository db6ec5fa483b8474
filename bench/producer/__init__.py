"""The producer process: it enqueues tasks when they are due, and records what became of each."""
