"""``bench plan``: what to buy for a rate, from a capacity record alone."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import units
from bench.analysis.capacity.plan import PlanRequest, make_plan
from bench.errors import ExitCode, UsageError
from bench.records import capacity_record, formats
from bench.reports.plan import print_plan
from bench.workload import fields


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WishFlags:
    """What is wished for, and what if."""

    slo: Annotated[
        list[str] | None, Parameter(help="Of the objectives searched for; all of them without it.")
    ] = None
    headroom: Annotated[str, Parameter(help="Share of each capacity to keep free.")] = "30%"
    backlog: Annotated[int, Parameter(help="Tasks of a backlog to drain.")] = 1_000_000
    memory: Annotated[str | None, Parameter(help="Memory of one server, as 4000MB.")] = None
    service_time: Annotated[
        str | None, Parameter(help="What if a task took so long, on average, as 4ms.")
    ] = None
    mix: Annotated[
        str | None, Parameter(help="What if the sub-queues had these shares: high=1,low=3.")
    ] = None

    def request(self, rate: str) -> PlanRequest:
        """As a value. Raises UsageError."""
        return PlanRequest(
            rate_per_s=_positive("--rate", units.parse_rate(rate)),
            headroom=_below_one("--headroom", units.parse_share(self.headroom)),
            slo=tuple(self.slo or ()),
            backlog=int(_positive("--backlog", self.backlog)),
            memory_bytes=None if self.memory is None else units.parse_size(self.memory),
            service_s=None
            if self.service_time is None
            else _positive("--service-time", units.parse_duration(self.service_time)),
            mix=None if self.mix is None else fields.parse_weights(self.mix),
        )


def plan(
    record: Path,
    /,
    *,
    rate: str,
    flags: WishFlags | None = None,
    json: Annotated[bool, Parameter(help="Print the plan as JSON.")] = False,
) -> int:
    """Say what a rate takes: workers, servers, how a backlog drains, and what gives way first.

    It reads the record and touches no server. Exits 3 when the record cannot say.

    Parameters
    ----------
    record
        A capacity record, as 'bench capacity' names it.
    rate
        Tasks a second, as 12000/s.
    """
    made = make_plan(capacity_record.load(record), (flags or WishFlags()).request(rate))
    if json:
        sys.stdout.write(formats.encode(made).decode())
    else:
        print_plan(made)
    return ExitCode.PASSED if made.chosen is not None else ExitCode.INCONCLUSIVE


def _positive(flag: str, value: float) -> float:
    if value <= 0:
        raise UsageError(f"{flag}: it must be above zero")
    return value


def _below_one(flag: str, share: float) -> float:
    if share >= 1:
        raise UsageError(f"{flag}: all of a capacity cannot be kept free; write for example 30%")
    return share
