"""``python -m tests.faults``: the campaign of faults, as a table. With 20 injections of each kind
for each worker and layout it takes about half an hour.

python -m tests.faults [--times 20] [--seed 1] [--only "stall server,kill worker"] [--jobs 2]
"""

import argparse
import concurrent.futures
import math
import multiprocessing
import sys
from collections.abc import Sequence

from tests.faults.campaign import FAILOVERS, LAYOUTS, STRIKES, Checked, Strike, Trial, check_or_tell


def main() -> int:
    """Print a row for each fault, worker and layout; return 1 where any run disagrees."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20, help="injections in each row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="faults, workers, layouts; with commas")
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    chosen = set(filter(None, asked.only.split(",")))
    sys.stdout.write("".join(f"| {' | '.join(row)} |\n" for row in (_HEAD, ["---"] * len(_HEAD))))
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(asked.jobs, mp_context=spawned) as pool:
        rows = []
        for strike, worker, layout in _rows(chosen):
            runs = range(asked.seed, asked.seed + math.ceil(asked.times / strike.times))
            trials = [Trial(strike.name, worker, layout, seed) for seed in runs]
            rows.append((trials, pool.map(check_or_tell, trials)))
        faulty = sum(_print_row(trials, list(found)) for trials, found in rows)
    return int(faulty > 0)


def _rows(chosen: set[str]) -> list[tuple[Strike, str, str]]:
    every = [
        (strike, worker, layout)
        for strike in (*STRIKES, *FAILOVERS)
        for worker in strike.workers
        for layout in LAYOUTS
    ]
    faults = {strike.name for strike, *_ in every}
    return [
        row
        for row in every
        if all(
            row_name in chosen or not chosen & names
            for row_name, names in (
                (row[0].name, faults),
                (row[1], {"built-in", "plain", "none"}),
                (row[2], set(LAYOUTS)),
            )
        )
    ]


_HEAD = [
    *("fault", "worker", "layout", "injected", "due", "enqueued", "completed"),
    *("lost", "twice", "again", "no reply", "refused", "runs that disagree"),
]


def _print_row(trials: Sequence[Trial], found: Sequence[Checked | str]) -> bool:
    done = [each for each in found if isinstance(each, Checked)]
    counts = [each.record.counts for each in done]
    columns = ("due", "enqueued", "completed", "lost", "duplicated", "unknown", "refused")
    sums = {name: sum(getattr(each, name) for each in counts) for name in columns}
    again = sum(fault.run_again for each in done for fault in each.record.faults)
    wrong = sum(isinstance(each, str) or bool(each.told) for each in found)
    injected = sum(fault.began_s is not None for each in done for fault in each.record.faults)
    cells = [
        *(trials[0].fault, trials[0].worker, trials[0].layout, injected, sums["due"]),
        *(sums["enqueued"], sums["completed"], sums["lost"], sums["duplicated"], again),
        *(sums["unknown"], sums["refused"], f"{wrong} of {len(found)}"),
    ]
    sys.stdout.write(f"| {' | '.join(map(str, cells))} |\n")
    for trial, each in zip(trials, found, strict=True):
        told = [each] if isinstance(each, str) else each.told
        for line in told:
            sys.stderr.write(f"    seed {trial.seed}: {line}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
