"""The ways in which people enqueue, held against each other: small real programs, and a harness.

The folders ``python``, ``redis_cli``, ``node`` and ``go`` hold the programs; each does what the
seed document shows for its language, or what a seasoned user of that library would write instead.
The modules here build them, start them in turn, read the one line that each prints, and look at
every key that it wrote.
"""
