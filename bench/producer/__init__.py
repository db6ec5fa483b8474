"""The producer process: it enqueues tasks when they are due, and records what became of each.

May be imported by the packages that run producers: run, clients and locust.
"""
