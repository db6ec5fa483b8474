"""``bench compare``: records against records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from bench import units
from bench.analysis import comparability, gate, metric_values
from bench.analysis.compare import Question, compare, in_pairs
from bench.analysis.rule import MARGIN
from bench.cli.command_line import command_line
from bench.cli.gate_outputs import GateOutputs
from bench.errors import MeasurementError, UsageError
from bench.records import run_record
from bench.records.run_record import RunRecord
from bench.workload.metrics import Metric
from bench.workload.scenario import Scenario

_JUDGING = Group("Judging", sort_key=3)
_BETWEEN = "--"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Judging:
    """What decides, and how much matters."""

    gate: Annotated[
        list[str] | None,
        Parameter(
            group=_JUDGING,
            help="Metric that decides, as e2e.p99 or completed.rate; may be given several times. "
            "Without it: e2e p50 and p99 of an open loop, the rates of a closed one.",
        ),
    ] = None
    margin: Annotated[
        str, Parameter(group=_JUDGING, help="What a change must exceed to matter.")
    ] = f"{MARGIN:.0%}"
    allow: Annotated[
        list[str] | None,
        Parameter(
            group=_JUDGING,
            help="Field that may differ between the sides, or a group: server, environment, order, "
            "verdict; may be given several times.",
        ),
    ] = None

    @property
    def allowed(self) -> list[str]:
        """Fields that may differ."""
        return list(self.allow or [])

    def gated(self, scenario: Scenario) -> Sequence[Metric]:
        """The metrics that decide. Raises UsageError for one that there is not."""
        if self.gate:
            return list(dict.fromkeys(map(metric_values.parse_comparable, self.gate)))
        return metric_values.gated_by_default(scenario)

    def margin_share(self) -> float:
        """As a share. Raises UsageError."""
        return units.parse_share(self.margin)


def compare_records(
    *records: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    judging: Judging | None = None,
    outputs: GateOutputs | None = None,
) -> int:
    """Compare runs with runs: bench compare BASE... -- CANDIDATE...

    Exits 0 when nothing is worse, 1 for a regression, 3 when the runs prove neither.

    Parameters
    ----------
    records
        Run records, or folders of them: those of the base, then --, then those of the candidate.
    """
    judging, outputs = judging or Judging(), outputs or GateOutputs()
    left, right = _sides(records)
    base, candidate = run_record.load_all(left), run_record.load_all(right)
    gated = judging.gated(base[0].scenario)
    margin = judging.margin_share()
    outputs.require_writable()
    _require_distinct([*base, *candidate])
    _require_alike(base, candidate, judging.allowed)
    pairs = in_pairs(base, candidate)
    question = Question(gated, metric_values.shown_besides(base[0].scenario), margin)
    comparison = compare(pairs, question, only_valid=comparability.VERDICT not in judging.allowed)
    sides = (
        gate.side("base", _names(left), base),
        gate.side("candidate", _names(right), candidate),
    )
    made = gate.assemble(
        comparison, sides, pairs, command_line(), notes=_notes(base, candidate, judging.allowed)
    )
    outputs.write(made, None)
    return made.exit_code


def _sides(words: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    texts = [str(word) for word in words]
    unknown = [text for text in texts if text.startswith("-") and text != _BETWEEN]
    if unknown:
        raise UsageError(f"unknown option {unknown[0]!r}")
    if texts.count(_BETWEEN) != 1 or texts[0] == _BETWEEN or texts[-1] == _BETWEEN:
        raise UsageError(
            "which records are the base, and which the candidate? "
            "Write: bench compare BASE... -- CANDIDATE..."
        )
    middle = texts.index(_BETWEEN)
    return list(words[:middle]), list(words[middle + 1 :])


def _require_distinct(records: Sequence[RunRecord]) -> None:
    """The same run twice would be two witnesses of one event. Raises UsageError."""
    seen = Counter((each.id, each.started_at) for each in records)
    (run, _), count = seen.most_common(1)[0]
    if count > 1:
        raise UsageError(f"run {run} is among the records {count} times: each run counts once")


def _require_alike(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Sequence[str]
) -> None:
    """Raise UsageError for what differs and matters, MeasurementError for runs not to be quoted."""
    found = comparability.differences(base, candidate, allowed)
    if found:
        first = found[0]
        reason = (
            "the two sides were not measured in turns, so a machine that drifted between them looks"
            " like a change ('bench ab' takes turns)"
            if first.field == comparability.ORDER
            else f"the runs differ in {comparability.named(found)}"
        )
        raise UsageError(f"{reason}: say --allow {first.field} to compare them all the same")
    spoilt = [] if comparability.VERDICT in allowed else comparability.invalid([*base, *candidate])
    if spoilt:
        raise MeasurementError(
            f"run {spoilt[0].id} of {spoilt[0].started_at} is {spoilt[0].verdict}, and "
            f"{len(spoilt)} of the runs must not be quoted: leave them out, or say --allow verdict"
        )


def _notes(
    base: Sequence[RunRecord], candidate: Sequence[RunRecord], allowed: Sequence[str]
) -> list[str]:
    notes = []
    if not comparability.is_interleaved(base, candidate):
        notes.append(
            "the sides were not measured in turns: a drift of the machine is in every change here"
        )
    if comparability.VERDICT in allowed and comparability.invalid([*base, *candidate]):
        notes.append("runs that are not valid were compared, as --allow verdict asked")
    differing = comparability.differences(base, candidate)
    others = [each for each in differing if each.field != comparability.ORDER]
    if others:
        notes.append(f"the sides differ in {comparability.named(others)}")
    return notes


def _names(paths: Sequence[Path]) -> str:
    if len(paths) <= 2:
        return ", ".join(map(str, paths))
    return f"{paths[0]} and {len(paths) - 1} more"
