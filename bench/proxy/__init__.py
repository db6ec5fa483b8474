"""A proxy between a run's processes and its server, which makes the network between them worse."""
