"""For the command line of Locust, beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/daily_sine.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import DailySine


class DailySineShape(DailySine):
    """``bench.locust.DailySine``, opted into by naming this file."""
