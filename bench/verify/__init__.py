"""``bench verify``: whether a server's queues follow their layout. Nothing is ever written."""
