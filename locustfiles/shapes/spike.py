"""A sudden peak. Name this file beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/spike.py --rate 5000/s --shape-duration 5m
"""

from bench.locust import Spike


class SpikeShape(Spike):
    """The shape ``bench.locust.Spike``, which Locust applies because this file is named."""
