"""For the command line of Locust, beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/spike.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import Spike


class SpikeShape(Spike):
    """``bench.locust.Spike``, opted into by naming this file."""
