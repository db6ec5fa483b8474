"""Injecting the faults of a plan, at their moments, into a server, workers and a network.

Whatever was begun is undone at the end, however the run ends.
"""
