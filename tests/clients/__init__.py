"""The clients: their line, the look at what they wrote, and their programs for real."""
