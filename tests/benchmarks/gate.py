"""Real jobs of ``bench ab``: how often the gate is right on this machine, and how long it takes.

    python -m tests.benchmarks.gate [--jobs 10] [--budget 5m] [--fixed-pairs]

Makes A/A jobs, whose two arms are the same, and A/B jobs, whose candidate has tasks that take 20%
longer, in turns, and prints a row for each job and one for each kind. Ten of each take up to twenty
times the budget. Nothing else should run on the machine meanwhile.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench.jobs.ab_state import GATE
from bench.records import comparison_record
from bench.records.comparison_record import GateRecord

_LOAD = ("backlog", "--tasks", "3000", "--prefetch", "1", "--service-time", "1ms")
_KINDS = {
    "A/A": ("--allow", "same"),
    "A/B, 20% longer": ("--b", "--service-time 1.2ms"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the jobs and print the table."""
    options = _parser().parse_args(arguments)
    made: dict[str, list[tuple[GateRecord, float]]] = {kind: [] for kind in _KINDS}
    began_s = time.monotonic()
    print("| job | decision | pairs | paired change | took |\n|---|---|---:|---|---:|")
    for _ in range(options.jobs):
        for kind, flags in _KINDS.items():
            fixed = ("--fixed-pairs",) if options.fixed_pairs else ()
            made[kind].append(_job((*flags, "--budget", options.budget, *fixed)))
            print(_row(kind, *made[kind][-1]), flush=True)
    for kind, jobs in made.items():
        decisions = Counter(gate.decision for gate, _ in jobs)
        counts = ", ".join(f"{count} {name}" for name, count in decisions.most_common())
        pairs = sum(gate.pairs for gate, _ in jobs) / len(jobs)
        took_s = sum(seconds for _, seconds in jobs)
        print(f"| {kind}: {len(jobs)} jobs | {counts} | {pairs:.1f} | | {took_s / 60:.1f} min |")
    print(f"{(time.monotonic() - began_s) / 60:.1f} min in all", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Make real jobs of the gate.")
    parser.add_argument("--jobs", type=int, default=10, help="of each kind")
    parser.add_argument("--budget", default="5m", help="of each job")
    parser.add_argument("--fixed-pairs", action="store_true", help="never stop early")
    return parser


def _job(flags: Sequence[str]) -> tuple[GateRecord, float]:
    """Returns the result of one job, and the seconds it took.

    Raises SystemExit, with what the job printed, where it came to no decision.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench", "ab", *_LOAD, *flags, "--output", folder]
        began_s = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - began_s
        path = Path(folder) / GATE
        if not path.exists():
            raise SystemExit(done.stderr)
        return comparison_record.load(path), took_s


def _row(kind: str, gate: GateRecord, took_s: float) -> str:
    row = next(each for each in gate.rows if each.is_gated)
    change = "–" if row.paired_change is None else f"{row.metric} {row.paired_change:+.1%}"
    planned = gate.stopping.planned if gate.stopping is not None else gate.pairs
    return f"| {kind} | {gate.decision} | {gate.pairs} of {planned} | {change} | {took_s:.0f} s |"


if __name__ == "__main__":
    sys.exit(main())
