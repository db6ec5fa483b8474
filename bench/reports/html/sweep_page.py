"""A sweep as a section of a page."""

from pathlib import Path

from bench import units
from bench.analysis import sweep
from bench.errors import ExitCode
from bench.records.sweep_record import SWEEP_PERCENTILES, SweepRecord, SweepTrial
from bench.reports import sweep_text
from bench.reports.figures import NOTHING, cores
from bench.reports.html import facts
from bench.reports.html.provenance import setup_of, stamp
from bench.reports.html.section import Section, Table, Tone
from bench.reports.next_steps import sweep_continuation
from bench.reports.plots.sweep import sweep_pictures


def section(record: SweepRecord, path: Path | None = None) -> Section:
    """Returns a section with everything a sweep measured.

    ``path`` is the file of the record, for the command that continues a sweep.
    """
    verdict, tone = _verdict(record)
    pictures = sweep_pictures(record)
    return Section(
        kind="sweep",
        group="Sweeps",
        title=f"Sweep of {record.scenario.name}",
        verdict=verdict,
        tone=tone,
        answer=f"{sweep_text.sentence(record)}.",
        figures=_figures(record),
        description=record.scenario.description,
        stamp=stamp(f"Sweep {record.id}, started", record.started_at),
        setup=setup_of(
            record.command, record.server, record.environment, facts.of_scenario(record.scenario)
        ),
        view={
            "notes": list(sweep_text.notes(record)),
            "continuation": "" if path is None else sweep_continuation(record, path),
            "drawn": [each.name for each in pictures],
            "levels": _levels(record),
            "trials": _trials(record),
            "explained": [*sweep_text.explanations(record), sweep_text.footer(record)],
        },
        pictures=pictures,
    )


def _verdict(record: SweepRecord) -> tuple[str, Tone]:
    code = sweep.exit_code(record)
    if code is ExitCode.INVALID:
        return "NOT VALID", "bad"
    if code is not ExitCode.PASSED:
        return "INCOMPLETE", "open"
    return "MEASURED", "good"


def _figures(record: SweepRecord) -> dict[str, str]:
    """The rate up to which each combination keeps up."""
    found = {}
    for curve in sweep.curves(record):
        at = f", {sweep_text.settings_text(curve.settings)}" if curve.settings else ""
        kept = curve.last_kept
        found[f"keeps up to{at}"] = units.format_rate(
            None if kept is None else kept.level.offered_per_s
        )
    return found


def _levels(record: SweepRecord) -> Table:
    return Table(
        "Each level, with its verdict and how far its trials differ",
        sweep_text.headings(record),
        sweep_text.rows(record),
        names=sweep_text.names(record),
    )


def _trials(record: SweepRecord) -> Table:
    columns = [
        *("record", *sweep_text.field_headings(record), "outcome"),
        *("achieved", *SWEEP_PERCENTILES, "backlog", "generator", "workers", "Redis"),
    ]
    return Table(
        "All trials, in the order in which they ran; the last three columns are cores used",
        columns,
        [_trial_row(record, each) for each in record.trials],
        names=2 + len(record.swept),
    )


def _trial_row(record: SweepRecord, trial: SweepTrial) -> list[str]:
    settings = record.levels[trial.level].settings
    name = sweep.verdict_of(trial).replace("_", " ")
    parts = [*filter(None, [trial.problem]), *(f"missed {each}" for each in trial.missed)]
    backlog = trial.most_backlog
    latencies = [trial.latency_s.get(each) for each in SWEEP_PERCENTILES]
    return [
        trial.file or NOTHING,
        *(sweep_text.value_text(field, value) for field, value in settings.items()),
        ": ".join([name, *parts[:1]]) + "".join(f"; {each}" for each in parts[1:]),
        units.format_rate(trial.achieved_per_s.value),
        *(NOTHING if e is None else sweep_text.trial_text(e) for e in latencies),
        NOTHING if backlog is None else units.format_count(backlog),
        *map(cores, (trial.generator_cores, trial.worker_cores, trial.server_cores)),
    ]
