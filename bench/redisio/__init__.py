"""Redis apart from the load: connections, the embedded server, clocks, figures, keys in bulk.

May import wire and measure; the packages of a run's processes import it.
"""
