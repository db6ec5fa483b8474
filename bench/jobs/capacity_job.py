"""Makes the trials of a capacity search one by one. The search is saved after each."""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.analysis.capacity.evidence import lacks_time
from bench.analysis.capacity.models import service_row
from bench.analysis.capacity.steps import SearchStep, next_trial, updated
from bench.errors import MeasurementError
from bench.jobs import run_sequence, runs
from bench.jobs.run_sequence import Ending, JobEnd, RunSequence
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, RedisRow, TrialRow
from bench.records.run_record import RunRecord
from bench.workload.guard_checks import needs_workers
from bench.workload.guards import NO_DEFAULT, guards_of
from bench.workload.metrics import format_value, parse_objective

_FILL_TASKS = 50_000
_QUEUED_AT_ONCE = 64
"""Tasks that a saturation run keeps queued for each slot, so that no slot ever idles."""
_SHORTEST_DRAIN_S = 5.0
_PERCENTILES = {"p50": "p50_s", "p95": "p95_s", "p99": "p99_s"}

OnTrial = Callable[[CapacityRecord, SearchStep | None], None]


def trials_folder(path: Path) -> Path:
    """The folder with the trials' records of the capacity record at ``path``."""
    return path.with_name(f"{path.stem}-trials")


def measure(
    record: CapacityRecord,
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnTrial,
) -> JobEnd[CapacityRecord]:
    """Make all remaining trials that fit the budget, and return the record, which says why it ends.

    The record is saved after each trial. ``url`` is an existing server, or None to start one for
    each trial. The search is interrupted once ``should_stop`` returns True. It fails when the
    workers finish no task, and with the error of a run that left no record.
    """

    def with_trial(now: CapacityRecord, step: SearchStep) -> CapacityRecord:
        return _with_trial(now, step, path, url, should_stop, watch)

    steps = RunSequence(next_trial, with_trial, _ending, capacity_record.save)
    return run_sequence.measure(steps, record, path, should_stop, watch)


def _ending(record: CapacityRecord) -> CapacityRecord:
    complete = msgspec.structs.replace(record, is_complete=True)
    ended: Ending = "budget" if lacks_time(complete) else "finished"
    return msgspec.structs.replace(complete, ended=ended)


def _with_trial(
    record: CapacityRecord,
    step: SearchStep,
    path: Path,
    url: str | None,
    should_stop: Callable[[], bool],
    watch: OnTrial,
) -> CapacityRecord:
    name = f"{len(record.trials) + 1:03d}-{step.purpose}-{step.units}.json"
    file = trials_folder(path) / name
    began_s = time.monotonic()
    run = runs.make(
        runs.RunOptions(arguments_of(record, step), file, url),
        should_stop,
        lambda: watch(record, step),
    )
    row = trial_row(step, run, time.monotonic() - began_s, name)
    if step.purpose == "saturation" and not row.completed_per_s:
        raise MeasurementError(
            f"the workers finished no task at {step.units} {record.axis} ({run.verdict}): "
            f"'bench report {file}' shows why"
        )
    record = msgspec.structs.replace(record, trials=[*record.trials, row])
    return updated(_learned(record, step, run))


def arguments_of(record: CapacityRecord, step: SearchStep) -> list[str]:
    """Arguments of ``bench run`` for a trial."""
    drain_s = max(step.duration_s, _SHORTEST_DRAIN_S)
    arguments = [*record.words, *_guards(record, step), f"--drain-timeout={drain_s:g}s"]
    if step.purpose == "fill":
        return [*arguments, "--workers=0", "--rate=max", f"--tasks={_FILL_TASKS}"]
    arguments.append(f"--{'workers' if record.axis == 'workers' else 'concurrency'}={step.units}")
    arguments.append(f"--duration={step.duration_s:g}s")
    if step.rate_per_s is None:
        slots = step.units * (record.scenario.concurrency if record.axis == "workers" else 1)
        queued = _QUEUED_AT_ONCE * slots
        return [
            *arguments,
            "--rate=max",
            f"--max-backlog={queued}",
            f"--pipeline={min(queued, record.scenario.pipeline)}",
            "--in-flight=2",
        ]
    return [*arguments, f"--rate={step.rate_per_s:g}", *(f"--slo={each}" for each in record.slo)]


def _guards(record: CapacityRecord, step: SearchStep) -> list[str]:
    """The guards of a trial: where no workers serve it, only those that need none."""
    written = record.scenario.abort
    if step.purpose == "fill":
        needless = {guard.expression for guard in guards_of(written) if not needs_workers(guard)}
        written = tuple(each for each in written if each == NO_DEFAULT or each in needless)
    return [f"--abort={each}" for each in written]


def trial_row(step: SearchStep, run: RunRecord, took_s: float, file: str) -> TrialRow:
    """A trial's row in the capacity record. ``took_s`` is its wall time with start and drain."""
    reason = _reason(run)
    return TrialRow(
        purpose=step.purpose,
        units=step.units,
        rate_per_s=step.rate_per_s,
        duration_s=step.duration_s,
        took_s=took_s,
        verdict=run.verdict,
        good=not reason,
        reason=reason,
        completed_per_s=run.rates.completed_per_s,
        enqueued_per_s=run.rates.enqueued_per_s,
        e2e_s={
            queue: {name: getattr(summary, field) for name, field in _PERCENTILES.items()}
            for queue, summary in run.latency["e2e"].items()
        },
        server_cores=run.resources.server_cpu_cores,
        worker_cores=run.resources.worker_cpu_cores,
        generator_cores=run.resources.generator_cpu_cores,
        attribution=run.attribution,
        file=file,
        completed_confidence=run.rates.confidence.get("completed_per_s"),
        e2e_confidence={
            queue: {
                name: summary.confidence[field]
                for name, field in _PERCENTILES.items()
                if field in summary.confidence
            }
            for queue, summary in run.latency["e2e"].items()
        },
    )


def _reason(run: RunRecord) -> str:
    """What did not hold, as text; empty where the whole load held."""
    if run.verdict != "valid":
        return run.verdict.replace("_", " ")
    missed = [each for each in run.slo if not each.passed]
    return ", ".join(
        f"{each.expression}: measured {_value(each.expression, each.value)}" for each in missed
    )


def _value(expression: str, value: float | None) -> str:
    if value is None:
        return "nothing"
    return format_value(parse_objective(expression).metric, value)


def _learned(record: CapacityRecord, step: SearchStep, run: RunRecord) -> CapacityRecord:
    """The record with what a run shows beside whether its load held: costs and service times."""
    if step.purpose == "fill":
        redis = RedisRow(
            cpu_us_per_task=None,
            commands_per_task=None,
            bytes_per_task=None,
            memory_bytes_per_queued_task=run.resources.server_memory_bytes_per_task,
            enqueue_ceiling_per_s=run.rates.enqueued_per_s,
            ceiling_per_s=None,
        )
        return msgspec.structs.replace(
            record, redis=redis, environment=run.environment, server=run.server
        )
    if step.purpose == "saturation" and record.redis is not None:
        # The busier the server, the less of its time goes into waking up: the last level's stands.
        cpu_us = run.resources.server_cpu_us_per_task
        redis = msgspec.structs.replace(
            record.redis,
            cpu_us_per_task=cpu_us,
            commands_per_task=run.resources.server_commands_per_task,
            bytes_per_task=run.resources.server_bytes_per_task,
        )
        return msgspec.structs.replace(record, redis=redis)
    if step.purpose == "search" and record.service is None:
        return msgspec.structs.replace(record, service=service_row(run))
    return record
