"""Turns records and analysis results into text, HTML and pictures.

Nothing here computes a statistic, makes a decision or talks to Redis.
"""
