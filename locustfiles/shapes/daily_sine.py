"""A day in miniature. Name this file beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/daily_sine.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import DailySine


class DailySineShape(DailySine):
    """The shape ``bench.locust.DailySine``, which Locust applies because this file is named."""
