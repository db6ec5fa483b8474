"""The custom fields of the form on Locust's page: what they show, and what was asked for with them.

Locust sends every field of the form, changed or not. A field that still holds what the form showed
at first asks for nothing, so that a scenario that is chosen in the same form is not overridden.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from bench.errors import BenchError
from bench.locust.arguments import choices_of, default_of, option_text
from bench.locust.plan import planned_scenario
from bench.locust.shapes import RateShape, Trace
from bench.units import format_rate
from bench.workload.declaration import FrontEnd
from bench.workload.fields import FIELDS, Field, shown_by
from bench.workload.scenario import Scenario

_OF_SHAPES = {"shape_duration": RateShape, "trace": Trace}
"""Options that only a shape of such a class reads."""


@dataclass(frozen=True)
class StartForm:
    """The fields of a scenario on the form."""

    shown: Mapping[str, str] = field(default_factory=dict)
    """What the form shows before anybody changes it, by the name of the field."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """The options of the command line."""
    hidden: frozenset[str] = frozenset()
    """Options that have no effect here."""

    @classmethod
    def of(cls, options: Mapping[str, Any], environment: Any) -> Self:
        """Returns the form of a test with these options, in Locust's environment."""
        try:
            scenario: Scenario | None = planned_scenario(options, environment)
        except BenchError:  # which the form is there to mend
            scenario = None
        shape, has_picker = environment.shape_class, bool(options.get("class_picker"))
        return cls(
            shown={each.name: _text(each, scenario, options) for each in shown_by(FrontEnd.LOCUST)},
            given=dict(options),
            hidden=frozenset(
                name
                for name, kind in _OF_SHAPES.items()
                if not has_picker and not isinstance(shape, kind)
            ),
        )

    def asked(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Returns options as a form has left them, but those it has not changed as they were."""
        unchanged = {
            name: self.given.get(name)
            for name, text in self.shown.items()
            if options.get(name) == text
        }
        return {**options, **unchanged}

    def arrange(self, inputs: dict[str, dict[str, Any]]) -> None:
        """Give Locust's description of the form its defaults, its choices and shorter texts."""
        for name in self.hidden:
            inputs.pop(name, None)
        for name, shown in self.shown.items():
            if name in inputs:
                declared = FIELDS[name].declared
                inputs[name] |= {
                    "default_value": shown,
                    "choices": list(choices_of(FIELDS[name])) or None,
                    "help_text": declared.example and f"for example {declared.example}",
                }


def submitted_options(
    options: Mapping[str, Any], submitted: Mapping[str, str]
) -> dict[str, str | bool]:
    """Returns the options that a form was sent with, as Locust will enter them."""
    return {
        name: text == "true" if isinstance(options[name], bool) else text
        for name, text in submitted.items()
        if name in options and name not in ("num_users", "spawn_rate", "run_time", "host")
    }


def _text(each: Field, scenario: Scenario | None, options: Mapping[str, Any]) -> str:
    """What a field of the form shows: what holds for a test without further changes."""
    if options.get(each.name) is not None:
        return str(options[each.name])
    if scenario is None:
        return default_of(each)
    value = getattr(scenario, each.attribute)
    if each.name == "rate":
        return "" if scenario.stages else "max" if value is None else format_rate(value)
    if value is None:
        return each.declared.type.none or ""
    return option_text(each.declared.type.write(value))
