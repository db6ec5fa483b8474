"""Commands that make many runs. Each run is a ``bench run`` process, and is saved when it ends.

May import the pure packages, records and analysis; starts ``bench`` as a process.
"""
