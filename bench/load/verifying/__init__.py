"""Reading what is in a server's queues, for ``bench verify``: nothing is ever written."""
