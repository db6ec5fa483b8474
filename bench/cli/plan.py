"""``bench plan``: sizing for a rate, from a capacity record alone."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Parameter

from bench import units
from bench.analysis.capacity.plan import make_plan
from bench.analysis.capacity.plan_request import PlanRequest
from bench.cli.arguments import WHOLE, read_flag, require_within
from bench.errors import ExitCode, UsageError
from bench.records import capacity_record, formats
from bench.reports.plan import print_plan
from bench.workload import queue_weights
from bench.workload.load_fields import MOST_TASKS
from bench.workload.quantities import require_possible_rate

NumberT = TypeVar("NumberT", int, float)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PlanFlags:
    """The requirements and assumptions of a plan."""

    slo: Annotated[
        list[str] | None,
        Parameter(
            metavar="OBJECTIVE",
            help="Objective of the search that must be met; all of them by default. May be given "
            "several times. Example: e2e.p99 < 50ms",
        ),
    ] = None
    headroom: Annotated[
        str, Parameter(metavar="SHARE", help="Share of each capacity to keep free. Example: 50%")
    ] = "30%"
    backlog: Annotated[
        int, WHOLE, Parameter(help="Number of tasks in a backlog to drain. Example: 250,000")
    ] = 1_000_000
    memory: Annotated[
        str | None, Parameter(metavar="SIZE", help="Memory of one server. Example: 16GB")
    ] = None
    keep: Annotated[
        str | None,
        Parameter(
            metavar="DURATION",
            help="How long finished tasks are kept; none are counted by default. Example: 24h",
        ),
    ] = None
    kept_bytes: Annotated[
        str | None,
        Parameter(
            metavar="SIZE",
            help="Memory of a kept task; that of a queued one by default. Example: 512B",
        ),
    ] = None
    service_time: Annotated[
        str | None, Parameter(metavar="DURATION", help="Mean service time to assume. Example: 4ms")
    ] = None
    mix: Annotated[
        str | None,
        Parameter(
            metavar="NAME=WEIGHT,…",
            help="Weights of the sub-queues to assume. Example: inference_high=1,inference_low=3",
        ),
    ] = None

    def request(self, rate: str) -> PlanRequest:
        """Returns the flags as a request. Raises UsageError for a value out of range, and for a
        size of kept tasks where none are kept."""
        if self.kept_bytes is not None and self.keep is None:
            raise UsageError(
                "--kept-bytes has no effect without --keep; add for example --keep 24h"
            )
        return PlanRequest(
            rate_per_s=_positive("--rate", _rate, rate),
            headroom=_below_one("--headroom", self.headroom),
            slo=tuple(self.slo or ()),
            backlog=require_within("--backlog", self.backlog, 1, MOST_TASKS),
            memory_bytes=_given("--memory", units.parse_size, self.memory),
            keep_s=_given("--keep", units.parse_duration, self.keep),
            kept_bytes=_given("--kept-bytes", units.parse_bytes, self.kept_bytes),
            service_s=_given("--service-time", units.parse_duration, self.service_time),
            mix=None
            if self.mix is None
            else read_flag("--mix", queue_weights.parse_weights, self.mix),
        )


def plan(
    record: Path,
    /,
    *,
    rate: Annotated[
        str, Parameter(alias="-r", metavar="RATE", help="Tasks per second. Example: 12000/s")
    ],
    flags: PlanFlags | None = None,
    json: Annotated[bool, Parameter(help="Print the plan as JSON.")] = False,
) -> int:
    """Size workers and servers for a rate, from a capacity record.

    Also shows how a backlog drains and what the first bottleneck is. Reads the record only and
    connects to no server. Exits 3 when the record does not show enough.

    Parameters
    ----------
    record
        A record that 'bench capacity' saved.
    """
    loaded, request = capacity_record.load(record), (flags or PlanFlags()).request(rate)
    with formats.naming(record):
        made = make_plan(loaded, request, record)
    if json:
        sys.stdout.write(formats.encode(made).decode())
    else:
        print_plan(made)
    return ExitCode.PASSED if made.chosen is not None else ExitCode.INCONCLUSIVE


def _rate(text: str) -> float:
    per_s = units.parse_rate(text)
    return per_s and require_possible_rate(per_s)


def _given(flag: str, read: Callable[[str], NumberT], text: str | None) -> NumberT | None:
    return None if text is None else _positive(flag, read, text)


def _positive(flag: str, read: Callable[[str], NumberT], text: str) -> NumberT:
    value = read_flag(flag, read, text)
    if value <= 0:
        raise UsageError(f"{flag} must be above zero; got {value:g}")
    return value


def _below_one(flag: str, text: str) -> float:
    share = read_flag(flag, units.parse_share, text)
    if share >= 1:
        raise UsageError(f"{flag} must be below 100%; use for example 30%")
    return share
