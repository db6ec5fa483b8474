"""Rates from a file. Name this file beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/trace.py --trace rates.csv
"""

from bench.locust import Trace


class TraceShape(Trace):
    """The shape ``bench.locust.Trace``, which Locust applies because this file is named."""
