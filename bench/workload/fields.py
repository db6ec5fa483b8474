"""The fields of a scenario by the names that users write, as ``scenario_fields`` declares them."""

from dataclasses import dataclass
from typing import get_args

import msgspec

from bench.workload.declaration import Declared, FrontEnd
from bench.workload.scenario import Scenario

_UNITS = ("_per_s", "_s")
"""Ends of attributes' names that users do not write; the longer one first."""


@dataclass(frozen=True)
class Field:
    """One field: where its value goes, what it is without one, and what it says of itself."""

    name: str
    attribute: str
    """The name of the scenario's attribute, with its unit."""
    default: object
    """The attribute's default; ``msgspec.NODEFAULT`` where there is none."""
    declared: Declared

    @property
    def option(self) -> str:
        """The command-line flag, as ``--payload-size``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def default_written(self) -> object:
        """The default as TOML would hold it, or None where there is nothing to write."""
        if self.default is msgspec.NODEFAULT:
            return None
        if self.default is None:
            return self.declared.type.none
        return self.declared.type.write(self.default)

    @property
    def example(self) -> object:
        """The example as TOML would hold it, or None without one."""
        example = self.declared.example
        return None if example is None else self.declared.type.from_option(example)

    @property
    def help(self) -> str:
        """The sentence for a command line's help, with the example."""
        example = self.declared.example
        return self.declared.help if example is None else f"{self.declared.help} Example: {example}"

    def read(self, written: object) -> object:
        """Returns the value in base units. Raises UsageError with what is wrong."""
        return self.declared.type.read(written)


def name_of(attribute: str) -> str:
    """Returns the name that users write for a scenario's attribute: without its unit."""
    for unit in _UNITS:
        if attribute.endswith(unit):
            return attribute.removesuffix(unit)
    return attribute


def _declared(info: msgspec.structs.FieldInfo) -> Field:
    (declared,) = (each for each in get_args(info.type) if isinstance(each, Declared))
    return Field(name_of(info.name), info.name, info.default, declared)


FIELDS: dict[str, Field] = {
    field.name: field for field in map(_declared, msgspec.structs.fields(Scenario))
}
"""Name to field, in the order in which helps and the documentation list them."""


def shown_by(front_end: FrontEnd) -> list[Field]:
    """Returns the fields that a front end shows beside TOML and ``bench run``."""
    return [field for field in FIELDS.values() if front_end in field.declared.also]


def without_effect(scenario: Scenario) -> list[Field]:
    """Returns the fields that only the other kind of worker knows of."""
    other = "built-in" if scenario.is_observed else "external"
    return [field for field in FIELDS.values() if field.declared.applies_to == other]
