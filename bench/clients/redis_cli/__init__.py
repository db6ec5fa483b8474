"""Clients that are ``redis-cli``, each with the little that it takes to feed it."""
