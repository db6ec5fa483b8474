"""The settings of a run that can differ between runs, by name, and as users write them.

A setting is a field of the scenario, or of what the record says of the server, the machine and how
completions were observed. Its name is ``scenario.FIELD``, ``server.FIELD`` and so on.
"""

from collections.abc import Iterator, Mapping

import msgspec

from bench import units
from bench.records.run_record import RunRecord
from bench.workload.fields import FIELDS, Field
from bench.workload.scenario import Scenario

SCENARIO = "scenario"
"""The group of the fields of the scenario, which flags set."""
LABELS = ("name", "description", "slo", "abort")
"""Fields of a scenario that do not affect a run."""
_SERVER_FIELDS = (
    *("product", "version", "malloc", "mode", "io_threads"),
    *("save", "appendonly", "maxmemory_policy", "topology", "replicas"),
)
CONFIGURED = "server.settings."
"""What the names of the server's own settings begin with, such as ``appendfsync``. Only those are
compared that both servers have and tell."""
_ENVIRONMENT_FIELDS = (
    *("cpu_model", "cores", "usable_cores", "cpu_quota_cores", "kernel", "python", "topology"),
    "pinning",
)
_STANDS_FOR = {"usable_cores": "cores"}
"""What stands for a field in records that are older than it."""
_TOPOLOGY = "environment.topology"
_UNTIL = f"{SCENARIO}.until"
GROUPS: Mapping[str, tuple[str, ...]] = {
    SCENARIO: tuple(each for each in Scenario.__struct_fields__ if each not in LABELS),
    "observation": ("method",),
    "server": _SERVER_FIELDS,
    "environment": _ENVIRONMENT_FIELDS,
}
"""The groups of settings, and the fields of each."""
_BY_ATTRIBUTE = {f"{SCENARIO}.{field.attribute}": field for field in FIELDS.values()}


def names() -> list[str]:
    """Returns the names of all settings."""
    return [f"{group}.{field}" for group, fields in GROUPS.items() for field in fields]


def settings_of(record: RunRecord) -> dict[str, str]:
    """Returns every setting by name, with its exact value as text."""
    found = dict(_settings(record))
    found[_UNTIL] += _length(record)
    return found


def workload_of(record: RunRecord) -> str:
    """Returns a text that is equal for runs of the same workload."""
    traits = [each for each in _settings(record) if each[0].startswith(f"{SCENARIO}.")]
    return msgspec.json.encode(traits).decode()


def short_name(name: str) -> str:
    """Returns a setting's name as a user writes it: ``rate`` for ``scenario.rate_per_s``."""
    field = _BY_ATTRIBUTE.get(name)
    return name if field is None else field.name


def label(name: str) -> str:
    """Returns what a report calls a setting: the flag that sets it, else its name."""
    field = _BY_ATTRIBUTE.get(name)
    return name if field is None else field.option


def full_name(written: str) -> str:
    """Returns the name of a setting that a user wrote in full, by its short name or as a flag; any
    other text as it is."""
    field = FIELDS.get(written.removeprefix("--").replace("-", "_"))
    return written if field is None else f"{SCENARIO}.{field.attribute}"


def shown(record: RunRecord, name: str) -> str:
    """Returns a setting's value as a user writes it: ``1000/s``, ``none``."""
    field = _BY_ATTRIBUTE.get(name)
    if field is not None:
        length = _length(record) if name == _UNTIL else ""
        return f"{written(record.scenario, field)}{length}"
    return _parts(record) if name == _TOPOLOGY else settings_of(record)[name]


def _length(record: RunRecord) -> str:
    """Returns how long the window of a run was that ended as it was precise enough: others like it
    have other lengths. Empty for a run that had its whole length."""
    if record.until is None or record.until.ended_by != "precision":
        return ""
    return f", over {units.format_duration(record.window_s)}"


def _parts(record: RunRecord) -> str:
    """Returns how many hosts and processes took part, as ``hosts 1, worker processes 2``."""
    found = record.environment.get(_TOPOLOGY.partition(".")[2])
    if not isinstance(found, Mapping):
        return _as_text(found)
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in found.items())


def written(scenario: Scenario, field: Field) -> str:
    """Returns a field's value as a user writes it in a flag; ``none`` where there is no value."""
    value = getattr(scenario, field.attribute)
    if isinstance(value, float) and field.attribute.endswith("_per_s"):
        return f"{value:.10g}/s"
    return _as_option(None if value is None else field.declared.type.write(value))


def _as_option(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return ",".join(f"{queue}={weight:g}" for queue, weight in value.items())
    if value is None or value in ([], ""):
        return "none"
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ",".join(value)
    return _as_text(value)


def _settings(record: RunRecord) -> Iterator[tuple[str, str]]:
    workload = msgspec.to_builtins(record.scenario)
    for field, value in workload.items():
        if field not in LABELS:
            yield f"{SCENARIO}.{field}", _as_text(value)
    observed = record.observation
    yield "observation.method", "by the workers" if observed is None else observed.method
    for group, values in (("server", record.server), ("environment", record.environment)):
        for field in GROUPS[group]:
            older = values.get(_STANDS_FOR.get(field, ""))
            yield f"{group}.{field}", _as_text(values.get(field, older))
    configured = record.server.get("settings")
    for name, value in configured.items() if isinstance(configured, Mapping) else ():
        if str(name).replace("-", "_") not in _SERVER_FIELDS:
            yield f"{CONFIGURED}{name}", _as_text(value)


def _as_text(value: object) -> str:
    """Returns the value of a field as text: JSON where it has parts."""
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value).decode()
    return str(value)
