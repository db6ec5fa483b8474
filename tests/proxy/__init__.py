"""The proxy that stands for a network."""
