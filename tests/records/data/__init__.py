"""Records that earlier versions of bench wrote, to be opened by today's.

Each was written by 0.1.0 and is kept as it is. Add those of a later version beside them; never
replace one.

    run-default.json    bench run, of 18 s, by a version before external workers
    run-smoke-1.json    bench run smoke --duration 2s --rate 300/s, with objectives
    run-smoke-2.json    the same once more
    run-external.json   bench run smoke with a worker that only an observer sees
    capacity.json       bench capacity --workers 1,2 --budget 3m
    comparison.json     bench compare of two runs with two runs
    clients.json        bench clients --tasks 200 --repeat 2, three clients
"""

from pathlib import Path

FOLDER = Path(__file__).parent

FORMATS = {
    "run-default.json": "record",
    "run-smoke-1.json": "record",
    "run-smoke-2.json": "record",
    "run-external.json": "record",
    "capacity.json": "capacity",
    "comparison.json": "comparison",
    "clients.json": "clients",
}
"""File to what ``bench schema`` calls its format."""
