"""A straight line up to the peak. Name this file beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/ramp.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import Ramp


class RampShape(Ramp):
    """The shape ``bench.locust.Ramp``, which Locust applies because this file is named."""
