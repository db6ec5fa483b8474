"""For the command line of Locust, beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/steps.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import Steps


class StepsShape(Steps):
    """``bench.locust.Steps``, opted into by naming this file."""
