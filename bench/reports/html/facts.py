"""What a run was made on and of, as pairs of a name and a text."""

import datetime
from collections.abc import Iterator, Mapping

from bench import units
from bench.workload.distribution import Distribution
from bench.workload.scenario import OF_BUILT_IN, OF_EXTERNAL, Scenario
from bench.workload.schedule import RateStage

FactRows = list[tuple[str, str]]

_SECONDS, _PER_SECOND = "_s", "_per_s"


def flat(values: Mapping[str, object], prefix: str = "") -> FactRows:
    """Nested names joined by blanks; what is None is left out."""
    found: FactRows = []
    for name, value in values.items():
        said = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            found.extend(flat(value, f"{said} "))
        elif value is not None:
            found.append(_fact(said, value))
    return found


def _fact(name: str, value: object) -> tuple[str, str]:
    if name.endswith(" bytes") and isinstance(value, int | float):
        return name.removesuffix(" bytes"), units.format_bytes(value)
    if isinstance(value, bool):
        return name, "yes" if value else "no"
    return name, str(value) if value != "" else "(empty)"


def of_scenario(scenario: Scenario) -> FactRows:
    """Every field that says something, under the name that users write, with its unit."""
    return list(_fields(scenario))


def _fields(scenario: Scenario) -> Iterator[tuple[str, str]]:
    # Settings that this run's workers never heard of would read as if they described them.
    unheard = OF_BUILT_IN if scenario.is_observed else OF_EXTERNAL
    for name in scenario.__struct_fields__:
        value = getattr(scenario, name)
        if value is None or value in ("", ()) or name in ("name", "description", *unheard):
            continue
        yield _field_name(name), _field_value(name, value)


def _field_name(name: str) -> str:
    for suffix in (_PER_SECOND, _SECONDS):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _field_value(name: str, value: object) -> str:
    if isinstance(value, Distribution):
        return _distribution(value, is_size=name.endswith("size"))
    if isinstance(value, Mapping):
        return ", ".join(f"{queue}={weight:g}" for queue, weight in value.items())
    if isinstance(value, tuple):
        return "; ".join(
            _stage(each) if isinstance(each, RateStage) else str(each) for each in value
        )
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name, value)
    return str(value)


def _number(name: str, value: float) -> str:
    if name.endswith(_PER_SECOND):
        return units.format_rate(value)
    if name.endswith(_SECONDS):
        return units.format_duration(value)
    if name == "failure_rate":
        return f"{value:.3g}"
    return str(value) if name == "seed" else units.format_count(value)


def _distribution(drawn: Distribution, *, is_size: bool) -> str:
    form = units.format_bytes if is_size else units.format_duration
    match drawn.kind:
        case "none":
            return "none"
        case "constant":
            return form(drawn.mean)
        case "uniform":
            return f"uniform from {form(drawn.low)} to {form(drawn.high)}"
        case "exp":
            return f"exponential, mean {form(drawn.mean)}"
        case "lognormal":
            return f"lognormal, mean {form(drawn.mean)}, σ {drawn.sigma:g}"


def _stage(stage: RateStage) -> str:
    ends = dict.fromkeys(map(units.format_rate, (stage.start_per_s, stage.end_per_s)))
    return f"{units.format_duration(stage.duration_s)} at {' to '.join(ends)}"


def moment(written: str) -> str:
    """``2026-01-15 09:30:00 UTC`` of an ISO 8601 date and time; what is none stays as it is."""
    try:
        at = datetime.datetime.fromisoformat(written)
    except ValueError:
        return written
    if at.tzinfo is None:
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
