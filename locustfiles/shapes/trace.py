"""For the command line of Locust, beside a locustfile:

locust -f locustfiles/runqy.py,locustfiles/shapes/trace.py --trace rates.csv
"""

from bench.locust import Trace


class TraceShape(Trace):
    """``bench.locust.Trace``, opted into by naming this file."""
