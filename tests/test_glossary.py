"""The glossary has every term once, in order, and no word of the code's results without one."""

import re

import pytest

from bench.analysis.rule import Decision
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval
from bench.measure.verdict_inputs import Verdict
from tests.sources import ROOT

_TERM = re.compile(r"^- \*\*`?([^*`]+)`?\*\*: (.+)$", re.MULTILINE)

TERMS = [term for term, _ in _TERM.findall((ROOT / "docs/glossary.md").read_text(encoding="utf-8"))]

OF_THE_CODE = [
    *(verdict.value for verdict in Verdict),
    *(decision.value for decision in Decision),
    *(interval.value for interval in Interval),
    *(name.replace("_", " ") for name in Counts.__struct_fields__),
]


def test_each_term_stands_once() -> None:
    assert len(TERMS) == len(set(map(str.casefold, TERMS)))


def test_the_terms_are_in_alphabetical_order() -> None:
    assert sorted(TERMS, key=str.casefold) == TERMS


@pytest.mark.parametrize("term", OF_THE_CODE)
def test_every_verdict_decision_interval_and_ledger_column_is_explained(term: str) -> None:
    assert term in TERMS
