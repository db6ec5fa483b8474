"""From the options of a Locust test to its set-up and its scenario.

The value of an option is text as written, or None: Locust sends options from the master to its
workers as plain JSON. ``bench.workload`` reads them, so that Locust, TOML files and ``bench run``
accept the same values and report the same errors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from bench.errors import ScenarioError, UsageError
from bench.metrics.exporter import ExportTargets, read_targets
from bench.names import require_value, variable
from bench.reading import read_file
from bench.redisio import tls
from bench.redisio.url import parse
from bench.secrets import URL_VARIABLE
from bench.workload import fault_rules, library, until_checks
from bench.workload.declaration import FrontEnd
from bench.workload.fields import FIELDS, shown_by
from bench.workload.override import override
from bench.workload.quantities import MOST_DURATION_S
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

_URL_OPTION = f"--redis-url (or {URL_VARIABLE})"
_WITH_TEXT = (
    *("server_binary", "record", "shape_duration", "trace", "scenario"),
    *("metrics", "metrics_linger", "otlp"),
)
"""Options with a text that are no field of a scenario, beside the URL."""
_ENDLESS_S = MOST_DURATION_S
"""Duration of a test that has no end of its own, until its scenario is resolved."""


@dataclass(frozen=True, kw_only=True)
class TestSetup:
    """Which server a test uses, who serves the queues, and what the test leaves."""

    url: str | None
    is_embedded: bool
    server_binary: str | None
    start_workers: int
    allow_shared: bool
    keep: bool
    record: str | None


def require_variables(environment: Mapping[str, str]) -> None:
    """Raises UsageError for a variable of Locust's that is set and empty, which it would ignore."""
    for name in environment:
        if name.startswith("LOCUST_"):
            variable(name, environment)


def require_complete(options: Mapping[str, Any]) -> None:
    """Raises UsageError for an option that was given without a value, as in ``--slo ""``.

    Not for the web page, whose form sends an empty text for a field that was left out.
    """
    names = ["redis_url", *_WITH_TEXT, *(field.name for field in shown_by(FrontEnd.LOCUST))]
    for name in names:
        text = options.get(name)
        if isinstance(text, str):
            flag = f"--{name.replace('_', '-')}"
            require_value(text, _URL_OPTION if name == "redis_url" else flag)


def setup_of(options: Mapping[str, Any]) -> TestSetup:
    """Returns the set-up that the options ask for.

    Raises UsageError when they name no server to use, or two.
    """
    url = options.get("redis_url")
    if url is not None:
        require_url(str(url))
    is_embedded = bool(options.get("embedded")) or options.get("server_binary") is not None
    if url is None and not is_embedded:
        raise UsageError(
            f"no server given: use --redis-url, set {URL_VARIABLE}, or start one with --embedded"
        )
    if url is not None and is_embedded:
        raise UsageError(
            "--embedded starts a server, but the Redis URL names one; remove one of them"
        )
    return TestSetup(
        url=None if url is None else tls.with_variables(str(url)),
        is_embedded=is_embedded,
        server_binary=options.get("server_binary"),
        start_workers=_started(options),
        allow_shared=bool(options.get("allow_shared")),
        keep=bool(options.get("keep")),
        record=options.get("record"),
    )


def export_targets(options: Mapping[str, Any]) -> ExportTargets:
    """Returns where metrics are exported to. Raises UsageError."""
    return read_targets(options.get("metrics"), options.get("otlp"), options.get("metrics_linger"))


def scenario_of(
    options: Mapping[str, Any],
    class_fields: Mapping[str, object],
    is_closed_loop: bool | None,
    duration_s: float | None,
    shape_stages: str | None = None,
) -> Scenario:
    """Returns the scenario of a test: file or built-in, then the user class's fields, then options.

    ``is_closed_loop`` says which loop the user classes can run, None for either. ``duration_s`` is
    Locust's run time, None without one. ``shape_stages`` is the offered rate over time that a load
    shape asks for. Raises ScenarioError.
    """
    if str(options.get("scenario") or "").endswith(".json"):  # bench run hands a whole one
        return _without_faults(_whole_scenario(Path(str(options["scenario"]))))
    source, written = "locust", dict(BASE)
    if options.get("scenario"):
        source, written = library.load(str(options["scenario"]))
        resolve(written, source)  # an error in the file is reported as the file's
    changes = dict(class_fields)
    changes.update(_given(options))
    if shape_stages is not None:
        changes.pop("rate", None)
        changes["stages"] = shape_stages
    if is_closed_loop and not _is_closed(override(written, changes)):
        if "rate" in changes or "stages" in changes:
            raise ScenarioError(
                "rate: these users send as fast as replies arrive; use OpenLoopUser"
            )
        changes["rate"] = "max"
    if is_closed_loop is False and _is_closed(override(written, changes)):
        if changes.get("rate") == "max":
            raise ScenarioError(
                "rate: these users keep a schedule; write tasks per second, for example 1000/s"
            )
        changes["rate"] = _OPEN_RATE
    fields = override(written, changes)
    is_staged = "stages" in fields or "trace" in fields
    if not is_staged and (duration_s is not None or "duration" not in fields):
        fields["duration"] = f"{duration_s or _ENDLESS_S}s"
    expects = not options.get("enqueue_only")
    started = _started(options)
    if expects and _is_closed(fields) and "max_backlog" not in fields:
        fields["max_backlog"] = _MAX_BACKLOG
    fields["workers"] = started
    fields["external_workers"] = expects and not started
    fields.pop("worker_start", None)
    scenario = _without_faults(resolve(fields, source))
    is_endless = duration_s is None and not is_staged and not options.get("scenario")
    return msgspec.structs.replace(scenario, duration_s=None) if is_endless else scenario


def require_url(url: str) -> None:
    """Raises UsageError for a URL that is empty or cannot be read."""
    parse(require_value(url, _URL_OPTION))


def _started(options: Mapping[str, Any]) -> int:
    """Returns the number of workers to start. Raises UsageError for one that is out of range."""
    try:
        return cast(int, FIELDS["workers"].read(options.get("start_worker") or 0))
    except UsageError as error:
        raise UsageError(f"--start-worker: {error}") from None


def _without_faults(scenario: Scenario) -> Scenario:
    """Returns a scenario as it is. Raises ScenarioError for one with faults or a network."""
    fault_rules.require_none(scenario, fault_rules.NONE_WITH_LOCUST)
    until_checks.require_none(scenario, until_checks.ONLY_RUN)
    return scenario


def _whole_scenario(path: Path) -> Scenario:
    try:
        return msgspec.json.decode(read_file(path, library.MOST_BYTES), type=Scenario)
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    except msgspec.MsgspecError:
        raise ScenarioError(
            f"{path}: a scenario is a built-in one's name, or a .toml file"
        ) from None


BASE: Mapping[str, object] = {
    "name": "locust",
    "description": "A Locust test.",
    "queues": {"inference_high": 1, "inference_default": 2, "inference_low": 1},
    "rate": "max",
    "prefetch": 64,
}
"""What a test is without a scenario, a user class or an option that says otherwise."""
_OPEN_RATE = "1000/s"
_MAX_BACKLOG = 4096
"""Bound of a closed loop, which would otherwise outrun any worker and measure a growing list."""


def _given(options: Mapping[str, Any]) -> dict[str, object]:
    """The scenario's fields among the options, as TOML would hold them, by name."""
    texts = {field.name: options.get(field.name) for field in shown_by(FrontEnd.LOCUST)}
    return {
        name: FIELDS[name].declared.type.from_option(str(text))
        for name, text in texts.items()
        if text not in (None, "")
    }


def _is_closed(fields: Mapping[str, object]) -> bool:
    return fields.get("rate") == "max" or fields.get("arrivals") == "max"


_ATTRIBUTES_OF_LOCUST = ("name", "tasks", "description")
"""Attributes of a user class that mean something else to Locust than to a scenario."""


def fields_of(classes: Iterable[type]) -> dict[str, object]:
    """Returns the scenario fields that user classes set as attributes, by name.

    Raises UsageError when two classes disagree.
    """
    found: dict[str, object] = {}
    for each in classes:
        for name in FIELDS:
            value = getattr(each, name, None)
            if value is None or name in _ATTRIBUTES_OF_LOCUST:
                continue
            if name in found and found[name] != value:
                raise UsageError(
                    f"{each.__name__}.{name} is {value!r} where another user class says "
                    f"{found[name]!r}: users of one test share a scenario"
                )
            found[name] = value
    return found
