"""Faults that are known and not mended yet.

The suite reads this list strictly: each case of the corpus that stands here must still fail, and in
the way that is described, so that whoever mends a fault also removes it from here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.cases import Case


@dataclass(frozen=True)
class Known:
    """One fault: what it is, how it shows, and the cases of the corpus that have it."""

    what: str
    kinds: frozenset[str]
    fault: str
    """A regular expression that finds it among what the oracle says."""
    cases: frozenset[str]
    """``kind/name`` of each."""
    waits: bool = False
    """Whether its cases take ten seconds each; they run with ``--nightly`` only."""


def _known(what: str, fault: str, cases: str, *, waits: bool = False) -> Known:
    kinds = dict[str, list[str]]()
    for line in cases.split(";"):
        kind, _, names = line.strip().partition(": ")
        kinds[kind] = [f"{kind}/{name}" for name in names.split()]
    return Known(
        what, frozenset(kinds), fault, frozenset(n for each in kinds.values() for n in each), waits
    )


KNOWN: Sequence[Known] = ()

BY_CHANCE: frozenset[str] = frozenset()
"""Cases that may hold or fail: what they meet depends on what arrives together."""


def is_known(kind: str, faults: Sequence[str]) -> bool:
    """Whether each of the faults of a case is one that is known."""
    patterns = [each.fault for each in KNOWN if kind in each.kinds]
    return all(any(re.search(pattern, fault) for pattern in patterns) for fault in faults)


def entry_of(case: Case) -> Known | None:
    """The entry that lists a case of the corpus, or None."""
    return next((each for each in KNOWN if f"{case.kind}/{case.name}" in each.cases), None)
