"""Records as Markdown, looked at as golden files and read back by a reader of Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bench.reports.markdown import capacity, clients, restarts, run
from tests import golden
from tests.records import capacity_fixtures
from tests.records.fixtures import HIGH, example_record
from tests.reports import test_clients, test_restarts

LOSSY = msgspec.structs.replace(example_record(), verdict="lossy")
TEXTS: Mapping[str, Callable[[], str]] = {
    "run-valid": lambda: run.markdown(example_record()),
    "run-lossy": lambda: run.markdown(LOSSY),
    "capacity-found": lambda: capacity.markdown(capacity_fixtures.found()),
    "capacity-broken": lambda: capacity.markdown(capacity_fixtures.broken()),
    "restarts": lambda: restarts.markdown(test_restarts.record()),
    "clients": lambda: clients.markdown(test_clients.example()),
}


@pytest.mark.parametrize("name", TEXTS)
def test_the_texts_are_those_that_were_looked_at(name: str) -> None:
    golden.check(f"{name}.md.txt", TEXTS[name]())


@pytest.mark.parametrize("name", TEXTS)
def test_the_first_line_is_a_heading_and_every_row_of_a_table_has_its_columns(name: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(TEXTS[name]())
    assert tokens[0].type == "heading_open"
    columns = 0
    for table in _tables(tokens):
        columns = sum(token.type == "th_open" for token in table)
        rows = sum(token.type == "tr_open" for token in table) - 1
        assert sum(token.type == "td_open" for token in table) == rows * columns
    assert columns


def _tables(tokens: Sequence[Token]) -> Iterable[Sequence[Token]]:
    begin = 0
    for index, token in enumerate(tokens):
        if token.type == "table_open":
            begin = index
        elif token.type == "table_close":
            yield tokens[begin:index]


def test_a_run_that_is_not_valid_says_first_that_it_must_not_be_quoted() -> None:
    first = run.markdown(LOSSY).splitlines()[0]
    assert first.startswith("### ❌ bench: LOSSY do not quote these figures: priority: 850/s")


@pytest.mark.parametrize("odd", ["a|b", "a`b", "<b>x", "@someone", "#12", "_x_*y*", "[x](y)"])
def test_no_name_becomes_markup_or_breaks_a_table(odd: str) -> None:
    record = example_record()
    renamed = msgspec.structs.replace(
        record,
        scenario=msgspec.structs.replace(record.scenario, name=odd),
        queues={odd if name == HIGH else name: counts for name, counts in record.queues.items()},
        latency={
            interval: {odd if name == HIGH else name: each for name, each in queues.items()}
            for interval, queues in record.latency.items()
        },
        slo=[],
    )
    tokens = MarkdownIt("commonmark").enable("table").parse(run.markdown(renamed))
    heading = tokens[1].children or []
    assert {token.type for token in heading} == {"text"} or "<b>" not in odd
    assert odd in "".join(token.content for token in heading)
    ledger = [*_tables(tokens)][-1]
    cells = [token for token in ledger if token.type == "inline"]
    names = ["".join(each.content for each in token.children or []) for token in cells]
    assert any(odd in name or _as_entities(odd) in name for name in names)


def _as_entities(name: str) -> str:
    """A name inside <code>, whose entities a reader of Markdown leaves as text or resolves."""
    return f"<code>{name}</code>"
