"""Computes comparisons, capacities and trends from records. Nothing here uses Redis or prints."""
