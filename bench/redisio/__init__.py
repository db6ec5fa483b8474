"""Redis beside the load itself: connections, the embedded server, its clock, its figures."""
