"""A process that watches the machine while a run lasts, and measures nothing of the run.

It times a canary before and after the run, and sleeps in between to see by how much it is late.
"""
