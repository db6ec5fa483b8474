"""The clients that are ``redis-cli``: each module starts one and writes to its input."""
