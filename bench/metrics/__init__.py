"""Metrics for monitoring: what a run or a worker is doing, for Prometheus and OpenTelemetry.

Whoever is monitored makes a snapshot a few times a second and passes it on to a process of its own,
which answers scrapes and pushes. A scrape therefore delays no task.
"""
