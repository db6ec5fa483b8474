"""``bench verify``: checks whether a server's queues follow their layout. It never writes."""
