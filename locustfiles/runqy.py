"""Loads a queue at a given rate, or as fast as it goes:

    locust -f locustfiles/runqy.py --headless -u 20 -r 20 -t 30s --embedded --start-worker

On a server of yours, start ``bench worker inference`` beside it, or add ``--start-worker``:

    locust -f locustfiles/runqy.py --headless -u 20 -r 20 -t 1m --redis-url redis://127.0.0.1:6379/0

``--rate 5000/s`` makes it an open loop. ``locust -f locustfiles/runqy.py --help``
lists all options.
"""

from bench.locust import QueueUser


class RunqyUser(QueueUser):
    """A user that enqueues onto the sub-queues of the scenario."""
