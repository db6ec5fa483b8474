"""One run from a scenario to a record: phases, processes, draining, server samples, clean-up.

May be imported by the packages that make runs: clients, locust and the command line.
"""
