"""Messages between the processes of a run. May import the pure packages and redisio."""
