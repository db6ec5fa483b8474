"""Facts about a run's scenario, server and machine, as pairs of a name and a text."""

from collections.abc import Iterator, Mapping, Sequence

from bench import units
from bench.workload.acknowledgement import Acknowledgement
from bench.workload.distribution import Distribution
from bench.workload.faults import Fault, Network
from bench.workload.fields import FIELDS, name_of, without_effect
from bench.workload.scenario import Scenario
from bench.workload.schedule import RateStage
from bench.workload.trace import TraceFile

FactRows = Sequence[tuple[str, str]]
"""Facts in their order: a name and a text each."""

_SECONDS, _PER_SECOND = "_s", "_per_s"


def flat(values: Mapping[str, object], prefix: str = "") -> FactRows:
    """Returns the facts of a nested mapping; nested names are joined by spaces.

    ``prefix`` stands before each name. A value of None is omitted.
    """
    found: list[tuple[str, str]] = []
    for name, value in values.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            found.extend(flat(value, f"{label} "))
        elif value is not None:
            found.append(_fact(label, value))
    return found


def _fact(name: str, value: object) -> tuple[str, str]:
    if name.endswith(" bytes") and isinstance(value, int | float):
        return name.removesuffix(" bytes"), units.format_bytes(value)
    if isinstance(value, bool):
        return name, "yes" if value else "no"
    return name, str(value) if value != "" else "(empty)"


def of_scenario(scenario: Scenario) -> FactRows:
    """Returns the fields that were set, by the names that users write, each with its unit.

    Fields that have no effect on this run's kind of worker are omitted.
    """
    return list(_fields(scenario))


def _fields(scenario: Scenario) -> Iterator[tuple[str, str]]:
    # A setting without effect on this run's workers would read as if it described them.
    idle = {field.attribute for field in without_effect(scenario)}
    for name in scenario.__struct_fields__:
        value = getattr(scenario, name)
        if name == "speed" and scenario.trace is None:
            continue
        if value is None or value in ("", ()) or name in ("name", "description", *idle):
            continue
        yield name_of(name), _written(name, value) or _field_value(name, value)


def _field_value(name: str, value: object) -> str:
    if isinstance(value, Distribution):
        return _distribution(value, is_size=name.endswith("size"))
    if isinstance(value, Mapping):
        return ", ".join(f"{queue}={weight:g}" for queue, weight in value.items())
    if isinstance(value, tuple):
        return "; ".join(
            _rate_stage(each) if isinstance(each, RateStage) else str(each) for each in value
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name, value)
    return _trace(value) if isinstance(value, TraceFile) else str(value)


def _written(name: str, value: object) -> str | None:
    """What a user writes for a value that has a structure of its own; None for others."""
    parts = value if isinstance(value, tuple) else (value,)
    if not isinstance(parts[0], Acknowledgement | Fault | Network):
        return None
    written = FIELDS[name_of(name)].declared.type.write(value)
    return "; ".join(written) if isinstance(written, list | tuple) else str(written)


def _trace(trace: TraceFile) -> str:
    tasks = f"{units.format_count(trace.tasks)} tasks" if trace.tasks else "rates"
    return f"{trace.file}: {tasks}, SHA-256 {trace.sha256[:12]}…"


def _number(name: str, value: float) -> str:
    if name.endswith(_PER_SECOND):
        return units.format_rate(value)
    if name.endswith(_SECONDS):
        return units.format_duration(value)
    if name == "failure_rate":
        return f"{value:.3g}"
    return str(value) if name == "seed" else units.format_count(value)


def _distribution(distribution: Distribution, *, is_size: bool) -> str:
    form = units.format_bytes if is_size else units.format_duration
    match distribution.kind:
        case "none":
            return "none"
        case "constant":
            return form(distribution.mean)
        case "uniform":
            return f"uniform from {form(distribution.low)} to {form(distribution.high)}"
        case "exp":
            return f"exponential, mean {form(distribution.mean)}"
        case "lognormal":
            return f"lognormal, mean {form(distribution.mean)}, σ {distribution.sigma:g}"


def _rate_stage(stage: RateStage) -> str:
    ends = dict.fromkeys(map(units.format_rate, (stage.start_per_s, stage.end_per_s)))
    return f"{units.format_duration(stage.duration_s)} at {' to '.join(ends)}"
