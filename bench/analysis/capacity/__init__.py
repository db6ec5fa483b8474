"""Capacity: the search for it, how it scales, latency near it, and sizing."""
