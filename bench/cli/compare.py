"""``bench compare``: a comparison of saved run records."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import units
from bench.analysis import comparability, gate, metric_values, run_settings
from bench.analysis.comparability import Difference
from bench.analysis.compare import Criteria, compare, in_pairs
from bench.analysis.rule import MARGIN
from bench.cli.arguments import read_flag
from bench.cli.command_line import command_line
from bench.cli.gate_outputs import GateOutputs
from bench.cli.groups import DECISION
from bench.cli.messages import notify
from bench.errors import MeasurementError, UsageError, nearest, quoted
from bench.records import run_files
from bench.records.run_record import RunRecord
from bench.reports.figures import counted
from bench.workload.measurable import require_measured
from bench.workload.metrics import Metric
from bench.workload.scenario import Scenario

_BETWEEN = "--"
SAME = "same"
"""What allows the two arms of a job to be equal."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DecisionFlags:
    """Which metrics decide, how large a change must be, and what may differ."""

    gate: Annotated[
        list[str] | None,
        Parameter(
            group=DECISION,
            metavar="METRIC",
            help="Metric that decides. May be given several times. By default e2e.p50 and e2e.p99 "
            "for an open loop, the rates for a closed one. Example: completed.rate",
        ),
    ] = None
    margin: Annotated[
        str,
        Parameter(
            group=DECISION,
            metavar="SHARE",
            help="Share that a change must exceed to matter. Example: 10%",
        ),
    ] = f"{MARGIN:.0%}"
    allow: Annotated[
        list[str] | None,
        Parameter(
            group=DECISION,
            metavar="FIELD",
            help="Setting that may differ between the sides, or a group of them (settings, "
            "scenario, server, environment, order, verdict). May be given several times, or with "
            "commas between. Example: rate,server.version",
        ),
    ] = None

    @property
    def allowed(self) -> list[str]:
        """The settings and groups that may differ. Raises UsageError for an unknown one."""
        known = [SAME, *comparability.known_fields()]
        given = [name.strip() for text in self.allow or () for name in text.split(",")]
        allowed = [run_settings.full_name(name) for name in given]
        for written, name in zip(given, allowed, strict=True):
            if name not in known and not name.startswith(run_settings.CONFIGURED):
                short = map(run_settings.short_name, known)
                hint = nearest(written, [*known, *short], cutoff=0.6)
                groups = ", ".join(each for each in known if "." not in each)
                there = hint or f"; there are {groups}, and single ones as rate and server.version"
                raise UsageError(f"--allow: {quoted(written)} is no setting{there}")
        return allowed

    def gated(self, scenario: Scenario) -> Sequence[Metric]:
        """Returns the metrics that decide. Raises UsageError for an unknown one, and for one that
        no run of the scenario measures."""
        if not self.gate:
            return metric_values.gated_by_default(scenario)
        gated = list(dict.fromkeys(map(metric_values.parse_comparable, self.gate)))
        for metric in gated:
            try:
                require_measured(metric, scenario)
            except UsageError as error:
                raise UsageError(f"--gate: {metric.name!r}: {error}") from None
        return gated

    def margin_share(self) -> float:
        """Returns the margin as a share. Raises UsageError for one that is none."""
        return read_flag("--margin", units.parse_share, self.margin)


def compare_records(
    *records: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    decision: DecisionFlags | None = None,
    outputs: GateOutputs | None = None,
) -> int:
    """Compare two sets of runs: BASE... -- CANDIDATE...

    Exits 0 when the candidate is no worse, 1 for a regression, and 3 when the runs prove neither.

    Parameters
    ----------
    records
        Run records or folders of them: those of the base, then --, then those of the candidate.
    """
    decision, outputs = decision or DecisionFlags(), outputs or GateOutputs()
    allowed, margin = decision.allowed, decision.margin_share()
    left, right = _sides(records)
    base, candidate = _loaded(left), _loaded(right)
    gated = decision.gated(base[0].scenario)
    outputs.require_writable()
    _require_distinct([*base, *candidate])
    pairs = in_pairs(base, candidate)
    _require_alike(base, candidate, allowed)
    criteria = Criteria(gated, metric_values.shown_besides(base[0].scenario), margin)
    comparison = compare(pairs, criteria, only_valid=comparability.VERDICT not in allowed)
    sides = (
        gate.side("base", _names(left), base),
        gate.side("candidate", _names(right), candidate),
    )
    made = gate.assemble(
        comparison, sides, pairs, command_line(), notes=_notes(base, candidate, allowed)
    )
    return outputs.write(made, None)


def _sides(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    texts = [str(path) for path in paths]
    unknown = [text for text in texts if text.startswith("-") and text != _BETWEEN]
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}")
    if texts.count(_BETWEEN) != 1 or texts[0] == _BETWEEN or texts[-1] == _BETWEEN:
        raise UsageError(
            "a single '--' must separate the records of the base from those of the candidate: "
            "bench compare BASE... -- CANDIDATE..."
        )
    middle = texts.index(_BETWEEN)
    return list(paths[:middle]), list(paths[middle + 1 :])


def _loaded(paths: Sequence[Path]) -> list[RunRecord]:
    """Returns the runs of a side, and says what was skipped in its folders. Raises RecordError."""
    found = run_files.find(paths)
    run_files.require_readable(found)
    if found.note:
        notify(f"{_names(paths)}: {found.note}")
    return found.records


def _require_distinct(records: Sequence[RunRecord]) -> None:
    """Raises UsageError where a run is given twice, which would count one measurement twice."""
    occurrences = Counter((each.id, each.started_at) for each in records)
    (run, _), count = occurrences.most_common(1)[0]
    if count > 1:
        raise UsageError(
            f"run {run} was given {count} times, but counts only once; remove the duplicates"
        )


def _require_alike(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Sequence[str]
) -> None:
    """Raises UsageError for differences that were not allowed, or MeasurementError where nothing
    but runs that are not valid is in the way. The message names all of it at once."""
    found = comparability.differences(base, candidate, allowed)
    invalid = [] if comparability.VERDICT in allowed else comparability.invalid([*base, *candidate])
    if not found and not invalid:
        return
    reasons = [*_reasons(found), *_invalid(invalid)]
    flag = comparability.to_allow(found, [comparability.VERDICT] if invalid else [])
    remove = "remove such runs, or " if invalid else ""
    error = UsageError if found else MeasurementError
    raise error(f"{'; and '.join(reasons)}; {remove}add {flag} to compare them anyway")


def _reasons(found: Sequence[Difference]) -> Iterator[str]:
    settings = [each for each in found if each.field != comparability.ORDER]
    if settings:
        yield f"the runs differ in {comparability.described(settings)}"
    if len(settings) < len(found):
        yield (
            "the runs of the two sides do not alternate, so a drift of the machine would look like "
            "a change ('bench ab' alternates)"
        )


def _invalid(invalid: Sequence[RunRecord]) -> Iterator[str]:
    if invalid:
        first, more = invalid[0], len(invalid) - 1
        others = f", and {counted(more, 'more run')} not valid either" if more else ""
        yield f"run {first.id} of {first.started_at} is {first.verdict}{others}"


def _notes(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Sequence[str]
) -> list[str]:
    notes = []
    if not comparability.is_interleaved(base, candidate):
        notes.append(
            "the runs of the two sides do not alternate, so every change includes any drift of the "
            "machine"
        )
    if comparability.VERDICT in allowed and comparability.invalid([*base, *candidate]):
        notes.append("runs that are not valid were compared, because of --allow verdict")
    differing = comparability.differences(base, candidate)
    others = [each for each in differing if each.field != comparability.ORDER]
    if others:
        notes.append(f"the sides differ in {comparability.described(others)}")
    return notes


def _names(paths: Sequence[Path]) -> str:
    if len(paths) <= 2:
        return ", ".join(map(str, paths))
    return f"{paths[0]} and {len(paths) - 1} more"
