"""Commands that make many runs. Each run is a ``bench run`` process, and is saved when it ends.

May import the pure rooms, records and analysis; starts ``bench`` as a process.
"""
