"""What a sweep is going to measure: its levels, checked before anything is sent."""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import units
from bench.analysis.sweep import RATE, drawn_order, left_s
from bench.cli import command_line
from bench.cli.arguments import flags_of, read_flag, require_within
from bench.cli.options import settled
from bench.errors import UsageError
from bench.records import timestamps
from bench.records.sweep_record import SweepLevel, SweepRecord, SweptValues
from bench.run.awaited_workers import require_server_of_others
from bench.secrets import holds_secret
from bench.workload import until_checks
from bench.workload.feed import payloads
from bench.workload.fields import FIELDS
from bench.workload.scenario import Scenario
from bench.workload.sweep_levels import (
    Spacing,
    SweptField,
    combinations,
    parse_levels,
    parse_rates,
    require_distinct,
)

_MOST_LEVELS = 400
"""Rows that a table of a page still shows well."""
_MOST_REPEAT = 1000
_LEAST_LEVELS = 2


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """A sweep as it was asked for."""

    scenario_name: str
    changes: Mapping[str, object]
    """The flags of the scenario, as written."""
    levels: Sequence[str]
    """The texts of ``--levels``."""
    is_geometric: bool
    repeat: int
    budget_s: float
    server_flags: Mapping[str, object]
    has_server: bool
    """Whether a server of others was named."""

    @property
    def spacing(self) -> Spacing:
        """How the values of ranges are spaced."""
        return "geometric" if self.is_geometric else "linear"


def planned(request: SweepRequest) -> SweepRecord:
    """Returns the record of a sweep without a trial.

    Raises UsageError for levels that cannot be run, and for a plan that the budget does not hold.
    """
    swept = _swept(request)
    changes = _without(request.changes, [each.name for each in swept])
    combined = combinations(swept)
    require_within("--repeat", request.repeat, 1, _MOST_REPEAT)
    _require_count(swept, len(combined))
    settled_levels = [_scenario(request, swept, changes, each) for each in combined]
    scenario, effective = settled_levels[0]
    until_checks.require_none(scenario, until_checks.ONE_LENGTH)
    lengths = [each.planned_duration_s for each, _ in settled_levels]
    record = SweepRecord(
        id=secrets.token_hex(4),
        started_at=timestamps.now(),
        command=command_line.command_line(),
        scenario=scenario,
        words=_words(request, effective, swept),
        swept=[SweptValues(field=each.name, values=list(each.values)) for each in swept],
        levels=[
            SweepLevel(settings=settings, offered_per_s=each.asked_per_s)
            for settings, (each, _) in zip(combined, settled_levels, strict=True)
        ],
        repeat=request.repeat,
        order=drawn_order(len(combined), request.repeat, scenario.seed),
        run_s=max((each for each in lengths if each is not None), default=None),
        budget_s=request.budget_s,
        interval="e2e" if all(each.has_workers for each, _ in settled_levels) else "enqueue",
    )
    _require_time(record, left_s(record))
    return record


def _swept(request: SweepRequest) -> list[SweptField]:
    """The fields that are varied. The rate comes last, so that a curve's levels stand together."""
    found = [
        read_flag("--levels", lambda text: parse_levels(text, request.spacing), text)
        for text in request.levels
    ]
    written = request.changes.get("rate")
    if isinstance(written, str):
        rates = read_flag("--rate", lambda text: parse_rates(text, request.spacing), written)
        found += [] if rates is None else [rates]
    found.sort(key=lambda each: each.name == RATE)
    read_flag("--levels", lambda _: require_distinct(found), "")
    if not found:
        raise UsageError(
            "no levels to try: add for example --rate 1000/s..20000/s/10, or "
            "--levels prefetch=1,8,64"
        )
    return found


def _without(changes: Mapping[str, object], swept: Sequence[str]) -> dict[str, object]:
    """The changes that all levels have. Raises UsageError for a flag of a field that is varied; a
    setting of a file or a variable does not count."""
    typed = [name for name in swept if name in changes and name not in command_line.settings()]
    for name in typed:
        text = str(changes[name])
        if name != "rate" or parse_rates(text) is None:
            raise UsageError(f"{FIELDS[name].option}: --levels varies it; remove one of the two")
    command_line.leave_out(swept)
    return {name: value for name, value in changes.items() if name not in swept}


def _require_count(swept: Sequence[SweptField], levels: int) -> None:
    if levels < _LEAST_LEVELS:
        raise UsageError("a sweep has two levels or more; for a single one use 'bench run'")
    if levels > _MOST_LEVELS:
        product = " × ".join(str(len(each.values)) for each in swept)
        raise UsageError(
            f"{product} are {levels} levels, and {_MOST_LEVELS} are the most: give fewer values"
        )


def _scenario(
    request: SweepRequest,
    swept: Sequence[SweptField],
    changes: Mapping[str, object],
    settings: Mapping[str, str],
) -> tuple[Scenario, Mapping[str, object]]:
    """The scenario of a level, and its flags. Raises UsageError that names the level."""
    values = {each.name: each.written(settings[each.name]) for each in swept}
    try:
        scenario, effective = settled(request.scenario_name, {**changes, **values})
    except UsageError as error:
        if len(swept) == 1 and len(swept[0].values) == 1:
            raise
        level = ", ".join(f"{name}={value}" for name, value in settings.items())
        raise UsageError(f"level {level}: {error}") from None
    if scenario.faults:
        raise UsageError("faults: a sweep has none; remove them from the scenario")
    if not request.has_server:
        require_server_of_others(scenario, "--workers 1 in place of --external-workers")
    payloads(scenario)  # reports an unusable payload file before anything starts
    return scenario, effective


def _words(
    request: SweepRequest, effective: Mapping[str, object], swept: Sequence[SweptField]
) -> list[str]:
    """The arguments that all trials have. Raises UsageError for a secret among them."""
    own = {"seed", *(each.name for each in swept)}
    shared = {name: value for name, value in effective.items() if name not in own}
    words = [request.scenario_name, *flags_of(shared), *flags_of(request.server_flags)]
    if holds_secret(words):
        raise UsageError(
            "the record and process lists would show a secret in these flags: set it in the "
            "environment, which workers inherit"
        )
    return words


def _require_time(record: SweepRecord, needed_s: float | None) -> None:
    """Raises UsageError where the trials are not expected to end within the budget."""
    if needed_s is None or needed_s <= record.budget_s:
        return
    repeated = f" × {record.repeat}" if record.repeat > 1 else ""
    raise UsageError(
        f"{len(record.order):,} trials ({len(record.levels)} levels{repeated}) of "
        f"{units.format_duration(record.run_s)} take about {units.format_duration(needed_s)}, and "
        f"the budget is {units.format_duration(record.budget_s)}: give --budget "
        f"{math.ceil(needed_s / 60)}m, fewer levels, or a shorter --duration"
    )
