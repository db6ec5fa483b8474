"""For the command line of Locust, beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/ramp.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import Ramp


class RampShape(Ramp):
    """``bench.locust.Ramp``, opted into by naming this file."""
