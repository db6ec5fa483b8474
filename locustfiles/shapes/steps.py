"""Equal steps up to the peak. Name this file beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/steps.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import Steps


class StepsShape(Steps):
    """The shape ``bench.locust.Steps``, which Locust applies because this file is named."""
