"""A capacity search as a section of a page."""

from collections.abc import Sequence
from pathlib import Path

from bench import units
from bench.analysis.capacity import answer
from bench.analysis.capacity.evidence import HeldRate, best_held, lacks_time
from bench.analysis.capacity.models import best_level
from bench.analysis.capacity.plan import CapacityPlan, make_plan
from bench.analysis.capacity.plan_request import PlanRequest
from bench.names import ALL_QUEUES
from bench.records import capacity_record
from bench.records.capacity_record import CapacityRecord, LevelRow, TrialRow
from bench.reports import confidence_text
from bench.reports import plan as plan_report
from bench.reports.capacity import (
    EXPLANATION_OF_TRIALS,
    has_intervals,
    how_sure,
    level_name,
    prediction_cells,
    saturation_cell,
)
from bench.reports.figures import NOTHING, cores
from bench.reports.html import facts
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table, Tone
from bench.reports.plots.grid import grid_picture
from bench.reports.plots.load import levels_picture, percentiles_picture, queues_picture
from bench.reports.plots.picture import Picture
from bench.reports.plots.scaling import scaling_picture

_SHARE = 0.7
"""The rate that the sizing table is for, as a share of the highest sustained rate."""
_HEADROOM = 0.2
"""Share of each option's capacity that the sizing table keeps free."""


def section(record: CapacityRecord, path: Path | None = None) -> Section:
    """Returns a section with everything a capacity search found.

    ``path`` is the file of the record, for the command that continues a search.
    """
    verdict, tone = _verdict(record)
    best, held = best_level(record), best_held(record)
    plan = None if best is None else _options_for(record, best, path)
    return Section(
        kind="capacity",
        group="Capacities",
        title=f"Capacity of {record.scenario.name}",
        verdict=verdict,
        tone=tone,
        answer=answer.sentence(record),
        figures={_kind_of(held): units.format_rate(held.rate_per_s if held else None)},
        description=record.scenario.description,
        stamp=stamp(f"Search {record.id}, started", record.started_at),
        setup=setup_of(
            record.command, record.server, record.environment, facts.of_scenario(record.scenario)
        ),
        view={
            "record": record,
            "notes": list(answer.notes(record)),
            "continuation": answer.continuation(record, path),
            "levels": _levels(record),
            "checks": _checks(record) if record.predictions else None,
            "law": _law(record),
            "how_sure": _sentence(how_sure(record)),
            "validity": _validity(record),
            "options": None if plan is None else _options(plan),
            "plan": [] if plan is None else [plan_report.answer(plan), *plan_report.facts(plan)],
            "plan_notes": [] if plan is None else plan.notes,
            "redis": _redis(record),
            "trials": _trials(record),
        },
        pictures=_pictures(record, best),
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _verdict(record: CapacityRecord) -> tuple[str, Tone]:
    held = best_held(record)
    if held is None and not lacks_time(record):
        return "NO SUSTAINED RATE", "bad"
    if not record.is_complete:
        return "INCOMPLETE", "open"
    if held is None or not held.is_proven:
        return "NOT PROVEN", "open"
    if lacks_time(record):
        return "FOUND, NOT PROVEN TO BE THE HIGHEST", "open"
    if any(capacity_record.is_rejected(record, what) for what in ("capacity", "e2e.p99")):
        return "FOUND, MODEL REJECTED", "open"
    return "FOUND", "good"


def _kind_of(held: HeldRate | None) -> str:
    return "sustained" if held is None or held.is_proven else "held, not proven"


def _pictures(record: CapacityRecord, best: LevelRow | None) -> list[Picture]:
    made = [levels_picture(record), scaling_picture(record), grid_picture(record)]
    if best is not None:
        made += [percentiles_picture(record, best.units), queues_picture(record, best.units)]
    return [picture for picture in made if picture is not None]


def _levels(record: CapacityRecord) -> Table:
    rows = [
        [
            level_name(level),
            # The share of the saturation is left out: both rates stand in the columns beside it.
            level.limit.partition(", at ")[0] or NOTHING,
            answer.sustained_cell(record, level),
            units.format_rate(level.upper_per_s),
            saturation_cell(record, level),
            answer.proof_cell(record, level),
        ]
        for level in record.levels
    ]
    best = best_level(record)
    strong = {index for index, level in enumerate(record.levels) if level is best}
    return Table(
        f"The highest rate that meets {' and '.join(record.slo)}, and the lowest that fails",
        [record.axis, "how it fails", "sustained", "fails at", "saturation", "proven"],
        rows,
        names=2,
        strong=frozenset(strong),
    )


def _checks(record: CapacityRecord) -> Table:
    return Table(
        "Predictions that the models made before the measurement",
        ["prediction", "outcome", "predicted", "90% interval", "measured"],
        [
            [subject, outcome, predicted, interval, measured]
            for subject, predicted, interval, measured, outcome in (
                prediction_cells(each, record.axis) for each in record.predictions
            )
        ],
        names=2,
    )


def _law(record: CapacityRecord) -> str:
    scaling = record.scaling
    if scaling is None:
        return ""
    low, high = scaling.peak_interval
    peak = f"{low:.3g} and {'without bound' if high is None else f'{high:.3g}'}"
    return (
        f"X(N) = γN / (1 + α(N − 1) + βN(N − 1)) with γ = {units.format_rate(scaling.gamma)} "
        f"({units.format_rate(scaling.gamma_interval[0])} to "
        f"{units.format_rate(scaling.gamma_interval[1])}), α = {round(scaling.alpha, 9):.3g} "
        f"({round(scaling.alpha_interval[0], 9):.2g} to {scaling.alpha_interval[1]:.2g}), β = "
        f"{round(scaling.beta, 9):.2g} ({round(scaling.beta_interval[0], 9):.1g} to "
        f"{scaling.beta_interval[1]:.1g}). Throughput is highest between {peak} {record.axis} "
        "(90% intervals). The fitted levels deviate from the law by "
        f"{max(map(abs, scaling.residuals)):.1%} at most."
    )


def _validity(record: CapacityRecord) -> Table:
    """Returns the last trial at each level's highest sustained rate."""
    rows = []
    for level in record.levels:
        trials = [
            trial
            for trial in record.trials
            if trial.units == level.units
            and trial.good
            and trial.rate_per_s is not None
            and trial.rate_per_s == level.lower_per_s
        ]
        if trials:
            rows.append(_validity_row(level, trials[-1]))
    return Table(
        "At the highest sustained rate: offered and completed load, and CPU cores used",
        [record.axis, "verdict", "offered", "completed", "generator", "workers", "Redis"],
        rows,
        names=2,
    )


def _validity_row(level: LevelRow, trial: TrialRow) -> list[str]:
    used = (trial.generator_cores, trial.worker_cores, trial.server_cores)
    return [
        str(level.units),
        trial.verdict,
        units.format_rate(trial.rate_per_s),
        units.format_rate(trial.completed_per_s),
        *map(cores, used),
    ]


def _options_for(record: CapacityRecord, best: LevelRow, path: Path | None) -> CapacityPlan:
    rate = float(f"{_SHARE * (best.lower_per_s or 0.0):.2g}")
    return make_plan(record, PlanRequest(rate_per_s=max(rate, 1.0), headroom=_HEADROOM), path)


def _options(plan: CapacityPlan) -> Table:
    return Table(
        f"Options for {units.format_rate(plan.request.rate_per_s)} with "
        f"{plan.request.headroom:.0%} headroom ('bench plan' answers for any other rate)",
        [plan.axis, "assessment", "sustained", "basis", "headroom"],
        [
            [
                str(option.units),
                option.rejected or ("chosen" if option is plan.chosen else "more than needed"),
                units.format_rate(option.holds_per_s),
                plan_report.basis(option),
                plan_report.headroom(option),
            ]
            for option in plan.options
        ],
        names=2,
        strong=frozenset(
            index for index, option in enumerate(plan.options) if option is plan.chosen
        ),
    )


def _redis(record: CapacityRecord) -> facts.FactRows:
    redis = record.redis
    if redis is None:
        return []
    rows = [
        ("CPU per task, at the highest level", _number(redis.cpu_us_per_task, " µs")),
        ("commands per task", _number(redis.commands_per_task)),
        ("bytes per task on the wire", units.format_bytes(redis.bytes_per_task)),
        ("memory per queued task", units.format_bytes(redis.memory_bytes_per_queued_task)),
        ("one core saturates at about", units.format_rate(redis.ceiling_per_s)),
        ("enqueue rate without workers", units.format_rate(redis.enqueue_ceiling_per_s)),
    ]
    return [(name, text) for name, text in rows if text != NOTHING]


def _number(value: float | None, unit: str = "") -> str:
    return NOTHING if value is None else f"{value:.1f}{unit}"


def _trials(record: CapacityRecord) -> Table:
    sure = (
        EXPLANATION_OF_TRIALS
        if has_intervals(record)
        else "how sure their figures are is not known: the record has no intervals"
    )
    return Table(
        f"All trials, in the order in which they ran; {sure}",
        ["record", "purpose", "outcome", record.axis, "offered", "completed", "p50", "p95", "p99"],
        [_trial_row(trial) for trial in record.trials],
        names=3,
    )


def _trial_row(trial: TrialRow) -> Sequence[str]:
    rate = trial.rate_per_s
    offered = "as fast as possible" if rate is None else units.format_rate(rate)
    e2e, sure = trial.e2e_s.get(ALL_QUEUES, {}), trial.e2e_confidence.get(ALL_QUEUES, {})
    return [
        trial.file,
        trial.purpose,
        trial.reason or "met",
        str(trial.units),
        offered,
        confidence_text.rate(trial.completed_per_s, trial.completed_confidence),
        *(confidence_text.seconds(e2e.get(name), sure.get(name)) for name in ("p50", "p95", "p99")),
    ]
