"""A draft of a scenario: fields as they would be written, each with where its value came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DraftedField:
    """One field of a drafted scenario."""

    name: str
    value: object
    """As TOML would hold it."""
    origin: str
    """Where the value came from, in a few words that begin with the kind of source."""


@dataclass(frozen=True)
class Draft:
    """A scenario in the making."""

    fields: Sequence[DraftedField]
    notes: Sequence[str] = ()
    """What the reader should know about the whole of it."""
    headline: str = ""
    """What the scenario was made from, for the top of its file."""

    def value(self, name: str) -> Any:
        """Returns the value of a field; None where the draft does not have it."""
        return next((each.value for each in self.fields if each.name == name), None)
