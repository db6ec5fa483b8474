"""What to do after a report: whole command lines, and for a run that is not valid, the cure."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.analysis.rule import Decision
from bench.records.capacity_record import CapacityRecord
from bench.records.chaos_record import ChaosRecord
from bench.records.comparison_record import GateRecord
from bench.records.run_record import RunRecord
from bench.records.selftest_record import SelftestRecord
from bench.records.sweep_record import SweepRecord
from bench.workload.quantities import plain, seconds_text
from bench.workload.scenario_fields import MOST_WORKERS

_PAGE = "--html page.html"
_LONGER = 2
_LESS = 0.5


def after_run(record: RunRecord, path: Path) -> Sequence[str]:
    """Returns the next steps after a run whose record is saved at ``path``, at most two."""
    file = shlex.quote(str(path))
    if record.verdict != "valid":
        return [*_cure(record), f"bench report {file} {_PAGE}"]
    missed = [
        each.expression for each in record.slo if not each.passed and ".p" in each.expression
    ]  # of a percentile, which a lower rate can meet
    if missed and record.scenario.worker == "built-in" and record.command.startswith("bench run"):
        objective = shlex.quote(missed[0])
        return [
            f"bench capacity --workers 1,2,4 --slo {objective} finds the rate that meets it",
            f"bench report {file} {_PAGE}",
        ]
    return [
        f"bench report {file} {_PAGE}",
        f"bench report {file} OTHER.json compares it with another run",
    ]


def after_restarts(path: Path) -> Sequence[str]:
    """Returns the next step after several starts of a run: a page of them."""
    return [f"bench report {shlex.quote(str(path))} {_PAGE}"]


def after_chaos(record: ChaosRecord, path: Path) -> Sequence[str]:
    """Returns the next steps after a set of faults: to go on with it, or objectives, and a page."""
    file = shlex.quote(str(path))
    page = f"bench report {file} {_PAGE}"
    if not record.is_complete:
        return [f"bench chaos --resume {file}", page]
    if not record.slo:
        return ["with --slo 'lost == 0' it exits with 5 where tasks are lost", page]
    return [page]


def sweep_continuation(record: SweepRecord, path: Path) -> str:
    """Returns the command that continues a sweep; empty for one that is complete."""
    return "" if record.is_complete else f"bench sweep --resume {shlex.quote(str(path))}"


def after_sweep(record: SweepRecord, path: Path) -> Sequence[str]:
    """Returns the next steps after a sweep: to go on with it, and a page with its picture."""
    page = f"bench report {shlex.quote(str(path))} {_PAGE}"
    return [*filter(None, [sweep_continuation(record, path)]), page]


def after_capacity(record: CapacityRecord, path: Path) -> Sequence[str]:
    """Returns the next steps after a search: a plan for twice the highest rate, and a page.

    How to continue a search stands beside its answer.
    """
    file = shlex.quote(str(path))
    held = [level.lower_per_s for level in record.levels if level.lower_per_s is not None]
    plan = [f"bench plan {file} --rate {_rate(_LONGER * max(held))}"] if held else []
    return [*plan, f"bench report {file} {_PAGE}"]


def after_comparison(gate: GateRecord, place: str | None) -> Sequence[str]:
    """Returns the next steps after a comparison whose records are in ``place``, if they are."""
    page = [] if place is None else [f"bench report {shlex.quote(place)} {_PAGE}"]
    if Decision(gate.decision) is not Decision.INCONCLUSIVE:
        return page
    more = "compare more runs" if place is None else "measure again with a longer --budget"
    return [more, *page]


def after_clients(path: Path) -> Sequence[str]:
    """Returns the next step after a comparison of clients."""
    return [f"bench report {shlex.quote(str(path))} {_PAGE}"]


def after_selftest(record: SelftestRecord, path: Path) -> Sequence[str]:
    """Returns the next steps after a self-test: a run whose report says what it found, and a
    page."""
    file = shlex.quote(str(path))
    attach = [f"bench run --selftest {file}"] if record.ended == "finished" else []
    return [*attach, f"bench report {file} {_PAGE}"]


# --- Cures of a run that is not valid -------------------------------------------------------------


def _cure(record: RunRecord) -> Iterator[str]:
    """Yields how to repeat the run, where a flag can help; the first such warning counts."""
    if not record.command.startswith("bench run"):
        return
    for warning in record.warnings:
        made = _CURES.get(warning.code)
        flags = "" if made is None else made(record)
        if flags:
            yield f"repeat it with {flags}"
            return


def _less_load(record: RunRecord) -> str:
    offered = record.scenario.rate_per_s
    return "" if not isinstance(offered, int | float) else f"--rate {_rate(offered * _LESS)}"


def _producers(record: RunRecord) -> str:
    return _either(f"--producers {record.scenario.producers + 1}", _less_load(record))


def _workers(record: RunRecord) -> str:
    scenario = record.scenario
    doubled = _LONGER * scenario.workers
    are_ours = not scenario.is_observed or scenario.worker_command is not None
    can_add = are_ours and scenario.workers > 0 and doubled <= MOST_WORKERS
    return _either(f"--workers {doubled}" if can_add else "", _less_load(record))


def _drain(record: RunRecord) -> str:
    longer_s = _LONGER * (record.scenario.drain_timeout_s or 1.0)
    return _either(f"--drain-timeout {seconds_text(longer_s)}", _workers(record))


def _duration(record: RunRecord) -> str:
    planned_s = record.scenario.duration_s
    return "" if planned_s is None else f"--duration {seconds_text(_LONGER * planned_s)}"


def _either(*flags: str) -> str:
    return ", or ".join(filter(None, flags))


def _rate(per_s: float) -> str:
    return f"{plain(float(f'{per_s:.2g}'))}/s"


_CURES: Mapping[str, Callable[[RunRecord], str]] = {
    "enqueued_too_few": _producers,
    "schedule_lag": _producers,
    "backlog_grows": _workers,
    "drain_timed_out": _drain,
    "nothing_measured": _duration,
}
"""Codes of warnings, and the flags that can cure what they report."""
