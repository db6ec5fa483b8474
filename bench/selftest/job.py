"""Carries out the steps of ``bench selftest`` one by one. The record is saved after each."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.errors import CAUSED_BY_INTERRUPT, BenchError, MeasurementError
from bench.jobs import runs
from bench.processes import folders
from bench.records import selftest_record
from bench.records.run_record import RunRecord
from bench.records.selftest_record import Ended, SelftestProblem, SelftestRecord
from bench.redisio import embedded
from bench.selftest.plan import SelftestPlan
from bench.selftest.steps import Setting

OnStep = Callable[[SelftestRecord, str | None], None]
"""Takes the record so far and the step that is under way, None after the last one."""
Step = Callable[[Setting], SelftestRecord]
_JOINED = ("delays", "counts", "ceilings", "pacing", "noise")


@dataclass(frozen=True)
class SelftestEnd:
    """A record to which nothing is added now. ``failure`` is the error that ended it early."""

    record: SelftestRecord
    failure: BenchError | None = None


def measure(
    record: SelftestRecord,
    path: Path,
    plan: SelftestPlan,
    should_stop: Callable[[], bool],
    watch: OnStep,
    steps: Mapping[str, Step],
) -> SelftestEnd:
    """Carry out all steps on a server of their own and return the record, saved after each.

    It ends early once ``should_stop`` returns True, and with an error that every step would have. A
    step that could not be measured is noted, and the others follow.
    """
    began_s = time.monotonic()
    selftest_record.save(record, path)

    def save(now: SelftestRecord) -> SelftestRecord:
        timed = msgspec.structs.replace(now, took_s=time.monotonic() - began_s)
        selftest_record.save(timed, path)
        return timed

    how: Ended = "finished"
    failure: BenchError | None = None
    try:
        with embedded.running() as server, folders.held("selftest") as folder:
            make = _maker(folder, should_stop, lambda: watch(record, name))
            setting = Setting(
                *(server.url, server.port, folder, make, plan, should_stop),
                has_time=lambda: time.monotonic() - began_s < plan.planned_s,
            )
            for name, step in steps.items():
                if should_stop():
                    raise runs.RunInterrupted
                watch(record, name)
                record = save(_after(record, name, step, setting))
    except runs.RunInterrupted:
        how = "interrupted"
    except BenchError as error:
        is_interrupt = should_stop() and isinstance(error, CAUSED_BY_INTERRUPT)
        how, failure = ("interrupted", None) if is_interrupt else ("failed", error)
    with contextlib.suppress(*([BenchError] if failure else [])):  # that of saving says it already
        record = save(msgspec.structs.replace(record, ended=how))
    watch(record, None)
    return SelftestEnd(record, failure)


def _maker(
    folder: Path, should_stop: Callable[[], bool], on_wait: Callable[[], None]
) -> Callable[[Sequence[str], str], RunRecord]:
    """Returns what makes a run. Its record lasts until the next one."""

    def make(arguments: Sequence[str], url: str) -> RunRecord:
        path = folder / "run.json"
        path.unlink(missing_ok=True)
        return runs.make(runs.RunOptions(arguments, path, url), should_stop, on_wait)

    return make


def _after(record: SelftestRecord, name: str, step: Step, setting: Setting) -> SelftestRecord:
    """Returns the record with what a step has found, or why it has not."""
    try:
        found = step(setting)
    except MeasurementError as error:
        if setting.should_stop():
            raise runs.RunInterrupted from error
        problem = SelftestProblem(step=name, reason=str(error))
        return msgspec.structs.replace(
            record, problems=[*record.problems, problem], steps=[*record.steps, name]
        )
    joined = {each: [*getattr(record, each), *getattr(found, each)] for each in _JOINED}
    return msgspec.structs.replace(
        record,
        **joined,
        steps=[*record.steps, name],
        environment=record.environment or found.environment,
        server=record.server or found.server,
    )
