"""The fields of a scenario as users write them: one entry each, with the function that reads it.

A reader takes what TOML or a flag gave (text, a number, a table) and returns the value in base
units, or raises UsageError with what is wrong; the caller adds which field of which file it was.
"""

import contextlib
import difflib
import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from bench import units
from bench.errors import UsageError
from bench.layouts import registry
from bench.wire.ids import MAX_PRODUCERS
from bench.workload import distribution, payload
from bench.workload.distribution import Distribution
from bench.workload.metrics import parse_objective
from bench.workload.payload import PayloadContent
from bench.workload.scenario import (
    ArrivalKind,
    CompletionSignal,
    Priority,
    ProducerKind,
    WatchMethod,
    WorkerKind,
    WorkerStart,
)
from bench.workload.schedule import RateStage

MAX_CONCURRENCY = 500
"""Slots of one worker process: each needs a socket, and select() takes 1024 at most."""


@dataclass(frozen=True)
class Field:
    """How one field of a scenario is read, and what it says about itself."""

    attribute: str
    read: Callable[[Any], object]
    help: str


def nearest(name: str, known: Iterable[str]) -> str:
    """``: did you mean …?`` for the most similar known name, or nothing."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f": did you mean {matches[0]!r}?" if matches else ""


def parse_weights(written: object) -> dict[str, float]:
    """``{"inference_high": 1}``, or ``inference_high=1,inference_low=3``, or names alone."""
    if isinstance(written, Mapping):
        pairs = [(str(name), weight) for name, weight in written.items()]
    elif isinstance(written, str):
        pairs = [_queue_pair(part) for part in written.split(",") if part.strip()]
    else:
        raise UsageError("write queue=weight pairs, for example inference_high=1,inference_low=3")
    weights: dict[str, float] = {}
    for name, weight in pairs:
        share = _weight(name, weight)
        if not name or any(character.isspace() or character in "{}" for character in name):
            raise UsageError(f"{name!r} is not a queue name")
        if name in weights:
            raise UsageError(f"{name!r} is named twice")
        weights[name] = share
    return weights


def _weight(name: str, written: object) -> float:
    try:
        weight = _number(written)
    except UsageError:
        raise UsageError(f"the weight of {name!r} is not a number: {written!r}") from None
    if not 0 < weight < math.inf:
        raise UsageError(f"the weight of {name!r} must be positive, not {weight:g}")
    return weight


def _queue_pair(text: str) -> tuple[str, object]:
    name, equals, weight = text.partition("=")
    if not equals:
        return name.strip(), 1
    try:
        return name.strip(), float(weight)
    except ValueError:
        return name.strip(), weight.strip()


def _rate(written: object) -> float | str:
    if written == "max":
        return "max"
    rate = units.parse_rate(_text_or_number(written))
    if rate <= 0:
        raise UsageError("the rate must be above zero; for no rate limit write max")
    return rate


def _stages(written: object) -> tuple[RateStage, ...]:
    """``5s@1000/s,10s@1000/s..5000/s``, or a list of tables with duration and rate or from/to."""
    if isinstance(written, str):
        return tuple(_stage_from_text(part.strip()) for part in written.split(","))
    if isinstance(written, Sequence):
        return tuple(_stage_from_table(table) for table in written)
    raise UsageError("write for example 5s@1000/s,10s@1000/s..5000/s")


def _stage_from_text(text: str) -> RateStage:
    duration, at, rates = text.partition("@")
    if not at:
        raise UsageError(f"{text!r} is not a stage: write DURATION@RATE or DURATION@RATE..RATE")
    start, dots, end = rates.partition("..")
    return _stage(duration, start, end if dots else start)


def _stage_from_table(table: object) -> RateStage:
    if not isinstance(table, Mapping):
        raise UsageError("each stage is a table with duration, and rate or from and to")
    known = ("duration", "rate", "from", "to")
    for name in table:
        if name not in known:
            raise UsageError(f"unknown field {name!r} in a stage{nearest(name, known)}")
    if "duration" not in table or ("rate" in table) == ("from" in table or "to" in table):
        raise UsageError("each stage needs duration, and either rate or both from and to")
    if "rate" in table:
        return _stage(table["duration"], table["rate"], table["rate"])
    if "from" not in table or "to" not in table:
        raise UsageError("a ramp needs both from and to")
    return _stage(table["duration"], table["from"], table["to"])


def _stage(duration: object, start: object, end: object) -> RateStage:
    duration_s = _duration(duration)
    start_per_s = units.parse_rate(_text_or_number(start))
    end_per_s = units.parse_rate(_text_or_number(end))
    if start_per_s < 0 or end_per_s < 0:
        raise UsageError("a stage's rate cannot be negative")
    return RateStage(duration_s, start_per_s, end_per_s)


def _duration(written: object) -> float:
    seconds = units.parse_duration(_text_or_number(written))
    if seconds <= 0:
        raise UsageError("it must be longer than zero")
    return seconds


def _duration_or_zero(written: object) -> float:
    seconds = units.parse_duration(_text_or_number(written))
    if seconds < 0:
        raise UsageError("it cannot be negative")
    return seconds


def _warmup(written: object) -> float | None:
    return None if written == "auto" else _duration_or_zero(written)


def _payload_size(written: object) -> Distribution:
    def size(text: str) -> float:
        return float(units.parse_size(text))

    text = str(written) if isinstance(written, int) else _text(written)
    sizes = distribution.parse(text, size, "constant")
    if sizes.kind in ("none", "exp"):
        raise UsageError("write a size, uniform:LOW-HIGH or lognormal:MEAN,SIGMA")
    smallest = sizes.low if sizes.kind == "uniform" else sizes.mean
    if smallest < payload.MIN_SIZE:
        raise UsageError(
            f"{smallest:g} bytes is too small: the stamps alone take {payload.MIN_SIZE}"
        )
    if max(sizes.mean, sizes.high) > payload.MAX_SIZE:
        raise UsageError(f"no payload may be over {units.format_bytes(payload.MAX_SIZE)}")
    return sizes


def _service_time(written: object) -> Distribution:
    if isinstance(written, str):
        return distribution.parse(written, units.parse_duration, "constant")
    return Distribution("constant", mean=_duration(written))


def _share(written: object) -> float:
    value = _share_from_text(written) if isinstance(written, str) else _number(written)
    if not 0 <= value <= 1:
        raise UsageError(f"{value:g} is not a share: it must be from 0 to 1")
    return value


def _traced(written: object) -> float | None:
    if written == "auto":
        return None
    share = _share(written)
    if not share:
        raise UsageError("at least some tasks must be followed: write auto, or 1 for all")
    return share


_PASSWORD = re.compile(r"://[^/\s@]*:[^\s@]+@")


def _command(written: object) -> str:
    text = _text(written)
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{text!r} cannot be split into words: {error}") from None
    if not words:
        raise UsageError("the command is empty")
    if _PASSWORD.search(text):
        raise UsageError(
            "a password would stand in records and process lists: the worker finds the server's "
            "URL, with its password, in the environment variable BENCH_REDIS_URL"
        )
    return text


def _share_from_text(text: str) -> float:
    """``5%``, ``0.05``, or ``0``."""
    return 0.0 if text.strip() in ("0", "0%") else units.parse_share(text)


def _slos(written: object) -> tuple[str, ...]:
    expressions = [written] if isinstance(written, str) else _list(written)
    return tuple(parse_objective(_text(expression)).expression for expression in expressions)


def _list(written: object) -> Sequence[object]:
    if isinstance(written, Sequence) and not isinstance(written, str | bytes):
        return written
    raise UsageError(f"expected a list, got {written!r}")


def _text(written: object) -> str:
    if isinstance(written, str):
        return written
    raise UsageError(f"expected a text, got {written!r}")


def _number(written: object) -> float:
    if isinstance(written, int | float) and not isinstance(written, bool):
        with contextlib.suppress(OverflowError):
            return float(written)
    raise UsageError(f"expected a number, got {written!r}")


def _text_or_number(written: object) -> str | float:
    return written if isinstance(written, str) else _number(written)


def _flag(written: object) -> bool:
    if isinstance(written, bool):
        return written
    raise UsageError(f"expected true or false, got {written!r}")


def _whole(least: int, most: int | None = None) -> Callable[[object], int]:
    def read(written: object) -> int:
        if isinstance(written, bool) or not isinstance(written, int):
            raise UsageError(f"expected a whole number, got {written!r}")
        if written < least or (most is not None and written > most):
            limits = f"at least {least}" if most is None else f"from {least} to {most}"
            raise UsageError(f"{written} is out of range: it must be {limits}")
        return written

    return read


def _one_of(choices: Sequence[str]) -> Callable[[object], str]:
    def read(written: object) -> str:
        if isinstance(written, str) and written in choices:
            return written
        hint = nearest(str(written), choices)
        raise UsageError(f"{written!r} is not one of {', '.join(choices)}{hint}")

    return read


def _layout(written: object) -> str:
    if isinstance(written, str) and registry.find(written) is not None:
        return written
    return _one_of(registry.names())(written)


FIELDS: dict[str, Field] = {
    "name": Field("name", _text, "What reports call it."),
    "description": Field("description", _text, "One sentence: what it answers."),
    "queues": Field("queues", parse_weights, "Sub-queues with weights, highest priority first."),
    "layout": Field("layout", _layout, "How the queue lies in Redis."),
    "duplicate_check": Field(
        "duplicate_check", _flag, "Refuse ids that exist already, in layouts that can."
    ),
    "arrivals": Field("arrivals", _one_of(get_args(ArrivalKind)), "constant, poisson or max."),
    "rate": Field("rate_per_s", _rate, "Tasks a second, or max for a closed loop."),
    "stages": Field("stages", _stages, "Steps and ramps of the rate."),
    "duration": Field("duration_s", _duration, "How long to enqueue."),
    "tasks": Field("tasks", _whole(1), "How many tasks to enqueue."),
    "seed": Field("seed", _whole(0), "The same seed gives the same workload."),
    "payload_size": Field("payload_size", _payload_size, "Bytes of each payload."),
    "payload_content": Field(
        "payload_content", _one_of(get_args(PayloadContent)), "letters, or binary (any bytes)."
    ),
    "payload_file": Field("payload_file", _text, "JSONL file with one payload a line."),
    "max_retry": Field("max_retry", _whole(0, 1000), "Attempts after the first."),
    "producers": Field("producers", _whole(1, MAX_PRODUCERS - 1), "Producer processes."),
    "producer": Field("producer", _one_of(get_args(ProducerKind)), "frames, redis-py or snippet."),
    "pipeline": Field("pipeline", _whole(1, 100_000), "Tasks in a batch, at most."),
    "in_flight": Field("in_flight", _whole(1, 1000), "Batches on the way in a closed loop."),
    "max_backlog": Field("max_backlog", _whole(1), "Closed loop: wait at this list length."),
    "workers": Field("workers", _whole(0, 256), "Worker processes to start."),
    "external_workers": Field("external_workers", _flag, "Workers are started elsewhere."),
    "worker": Field("worker", _one_of(get_args(WorkerKind)), "built-in, or external."),
    "worker_command": Field("worker_command", _command, "Starts an external worker."),
    "seen_by": Field(
        "seen_by", _one_of(get_args(CompletionSignal)), "state or result of external tasks."
    ),
    "watch": Field("watch", _one_of(get_args(WatchMethod)), "auto, events or polling."),
    "traced": Field("traced", _traced, "auto, or a share: external tasks whose latency is seen."),
    "concurrency": Field("concurrency", _whole(1, MAX_CONCURRENCY), "Tasks at once a worker."),
    "prefetch": Field("prefetch", _whole(1, 10_000), "Tasks taken at a time; 1 = one by one."),
    "service_time": Field("service_time", _service_time, "none, 2ms, exp:2ms, lognormal:2ms,1."),
    "failure_rate": Field("failure_rate", _share, "Share of attempts that fail."),
    "retry_delay": Field("retry_delay_s", _duration_or_zero, "Wait before the next attempt."),
    "priority": Field("priority", _one_of(get_args(Priority)), "strict or weighted."),
    "store_results": Field("store_results", _flag, "Workers store results in Redis."),
    "worker_start": Field(
        "worker_start", _one_of(get_args(WorkerStart)), "with-run, or after-fill to drain."
    ),
    "warmup": Field("warmup_s", _warmup, "auto, or seconds to leave out."),
    "drain_timeout": Field("drain_timeout_s", _duration_or_zero, "Wait for the queues to empty."),
    "slo": Field("slo", _slos, "Objectives, for example e2e.p99 < 50ms."),
}
