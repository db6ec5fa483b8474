"""Seeing from outside that tasks are finished, by workers that tell us nothing."""
