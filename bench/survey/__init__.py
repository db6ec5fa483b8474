"""``bench init``: what the queues of a server are like, and a scenario that is like them."""
