"""``bench clients``: ways to enqueue, compared. Small real programs, and the harness around them.

The folders ``python``, ``redis_cli``, ``node`` and ``go`` hold the programs. Each does what the
seed document shows for its language, or what an experienced user of that library would write
instead. The modules here build the programs, run them in turn, read the result line that each
prints, and check every key that it wrote.
"""
