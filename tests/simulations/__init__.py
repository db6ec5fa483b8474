"""Simulations of error rates, whose tables stand in the documentation."""
