"""Capacity: finding it, how it scales, what a queue does near it, and what to buy."""
