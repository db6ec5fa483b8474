"""Redis Cluster: where the slots are, a client that follows them, and a connection for frames."""
