"""Real jobs of ``bench ab``: how often the gate is right on this machine, and how long it takes.

    python -m tests.benchmarks.gate [--jobs 10] [--budget 10m] [--fixed-pairs]

Makes A/A jobs, whose two arms are the same, and A/B jobs, whose candidate has tasks that take 20%
longer, in turns, and prints a row for each job and one for each kind. A job that could not be made
is a row as well. Ten of each take up to twenty times the budget, and on a machine with nothing else
to do a quarter of that.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.jobs.ab_state import GATE
from bench.records import comparison_record
from bench.records.comparison_record import GateRecord
from bench.reports.figures import counted
from bench.units import format_duration

_LOAD = ("backlog", "--tasks", "2000", "--prefetch", "1", "--service-time", "1ms")
_KINDS = {
    "A/A": ("--allow", "same"),
    "A/B, 20% longer": ("--b", "--service-time 1.2ms"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the jobs and print the table."""
    options = _parser().parse_args(arguments)
    made: dict[str, list[_Job]] = {kind: [] for kind in _KINDS}
    began_s = time.monotonic()
    print("| job | decision | pairs | paired change | took |\n|---|---|---:|---|---:|")
    for _ in range(options.jobs):
        for kind, flags in _KINDS.items():
            fixed = ("--fixed-pairs",) if options.fixed_pairs else ()
            made[kind].append(_job((*flags, "--budget", options.budget, *fixed)))
            print(_row(kind, made[kind][-1]), flush=True)
    for kind, jobs in made.items():
        print(_summary(kind, jobs))
    print(f"{(time.monotonic() - began_s) / 60:.1f} min in all", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Make real jobs of the gate.")
    parser.add_argument("--jobs", type=int, default=10, help="of each kind")
    parser.add_argument("--budget", default="10m", help="of each job")
    parser.add_argument("--fixed-pairs", action="store_true", help="never stop early")
    return parser


@dataclass(frozen=True)
class _Job:
    """A job that was made."""

    gate: GateRecord | None
    """None where it came to no decision."""
    took_s: float
    problem: str
    """The last line that it printed as an error."""

    @property
    def decision(self) -> str:
        return "no decision" if self.gate is None else self.gate.decision


def _job(flags: Sequence[str]) -> _Job:
    """Returns what became of one job."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "bench", "ab", *_LOAD, *flags, "--output", folder]
        began_s = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took_s = time.monotonic() - began_s
        path = Path(folder) / GATE
        made = comparison_record.load(path) if path.exists() else None
        return _Job(made, took_s, (done.stderr.strip().splitlines() or [""])[-1])


def _row(kind: str, job: _Job) -> str:
    gate, took = job.gate, format_duration(job.took_s)
    if gate is None:
        return f"| {kind} | {job.decision}: {job.problem} | – | – | {took} |"
    row = next(each for each in gate.rows if each.is_gated)
    change = "–" if row.paired_change is None else f"{row.metric} {row.paired_change:+.1%}"
    stopping = gate.stopping
    pairs = f"{gate.pairs} of {gate.pairs if stopping is None else stopping.planned}"
    if stopping is not None and stopping.void:
        pairs += f", {len(stopping.void)} void"
    return f"| {kind} | {gate.decision} | {pairs} | {change} | {took} |"


def _summary(kind: str, jobs: Sequence[_Job]) -> str:
    decisions = Counter(each.decision for each in jobs).most_common()
    counts = ", ".join(f"{count} {name}" for name, count in decisions)
    pairs = [each.gate.pairs for each in jobs if each.gate is not None]
    mean = f"{statistics.mean(pairs):.1f}" if pairs else "–"
    took = format_duration(sum(each.took_s for each in jobs))
    return f"| {kind}: {counted(len(jobs), 'job')} | {counts} | {mean} | | {took} |"


if __name__ == "__main__":
    sys.exit(main())
