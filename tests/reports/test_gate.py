"""A comparison in every form: golden files, looked at as the one who must act on it would."""

import io
import json
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

import msgspec
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from bench.inert import visible
from bench.records import comparison_record
from bench.records.comparison_record import (
    Disagreement,
    GateRecord,
    GateRow,
    Side,
    Stopping,
    VoidPair,
)
from bench.reports.gate.github import annotations
from bench.reports.gate.junit import junit
from bench.reports.gate.markdown import markdown
from bench.reports.gate.terminal import print_gate, render
from tests import golden


def side(label: str, what: str, revision: str, **verdicts: int) -> Side:
    return Side(
        label=label,
        what=what,
        runs=sum(verdicts.values()),
        verdicts=verdicts,
        revision=revision,
        server="redis 7.0.15",
    )


ROWS = [
    GateRow(
        metric="e2e.p50",
        base=0.00043,
        candidate=0.00052,
        paired_change=0.209,
        low=0.181,
        high=0.242,
        p=0.00195,
        margin=0.05,
        floor=0.021,
        is_gated=True,
        decision="regression",
    ),
    GateRow(
        metric="e2e.p99",
        base=0.0035,
        candidate=0.0036,
        paired_change=0.031,
        low=-0.04,
        high=0.11,
        p=0.7,
        margin=0.062,
        floor=0.062,
        is_gated=True,
        decision="inconclusive",
        pairs_needed=28,
    ),
    GateRow(
        metric="completed.rate",
        base=2000.0,
        candidate=1999.5,
        paired_change=-0.00025,
        low=-0.001,
        high=0.001,
        p=1.0,
        margin=0.05,
        is_gated=True,
        decision="no worse",
    ),
    GateRow(
        metric="server_cpu_us_per_task",
        base=21.5,
        candidate=19.35,
        paired_change=-0.1,
        low=-0.15,
        high=-0.05,
        margin=0.05,
        is_gated=False,
        decision="improvement",
    ),
]


def gate(**changes: object) -> GateRecord:
    values: dict[str, object] = {
        "made_at": "2026-01-01T08:00:00+00:00",
        "duration_s": 271.3,
        "command": "bench ab default --b '--prefetch 1'",
        "title": "default",
        "base": side("A", "", "0123456789", valid=10, generator_limited=1),
        "candidate": side("B", "--prefetch 1", "0123456789+", valid=11),
        "pairs": 10,
        "pairs_left_out": 1,
        "noise_pairs": 3,
        "alpha": 0.05,
        "confidence": 0.9,
        "rows": ROWS,
        "faults": [],
        "notes": [],
        "machine": "AMD EPYC, 2 cores",
        "drift": 0.083,
        "decision": "regression",
        "exit_code": 1,
    }
    return GateRecord(**{**values, **changes})  # type: ignore[arg-type]


def passed() -> GateRecord:
    """Nothing worse, nothing open."""
    return gate(rows=ROWS[2:], decision="no worse", exit_code=0, pairs_left_out=0)


def faulty() -> GateRecord:
    """Tasks were lost, and speed was never the question; with names that try to be markup."""
    return gate(
        faults=["the candidate lost 12 tasks, the base 0"],
        rows=ROWS[2:3],
        title="odd|name_<b>*",
        command="bench ab 'odd|name' --b '--name <script>'",
        notes=["the sides were not measured in turns: a drift of the machine is in every change"],
    )


def too_few() -> GateRecord:
    """Two pairs: the interval has no ends."""
    row = msgspec.structs.replace(
        ROWS[0], low=None, high=None, p=1.0, decision="inconclusive", pairs_needed=10
    )
    missing = GateRow(
        metric="e2e{inference_high}.p99",
        base=None,
        candidate=None,
        margin=0.05,
        is_gated=True,
        decision="inconclusive",
    )
    return gate(rows=[row, missing], pairs=2, decision="inconclusive", exit_code=3, drift=None)


def stopped() -> GateRecord:
    """Half of the pairs were enough for one metric; the other is still open."""
    stopping = Stopping(planned=10, analyses=[5], stopped_after=5)
    return gate(pairs=5, pairs_left_out=0, stopping=stopping)


def stopped_passed() -> GateRecord:
    """Nothing worse, after two analyses."""
    stopping = Stopping(planned=10, analyses=[5, 8], stopped_after=8)
    return msgspec.structs.replace(passed(), pairs=8, stopping=stopping)


def analysed_thrice() -> GateRecord:
    """All pairs, since the decision was never plain before."""
    return gate(stopping=Stopping(planned=10, analyses=[5, 8, 10]))


def disturbed() -> GateRecord:
    """The machine changed in the first noise pair and in a pair."""
    before, after = "before the first run", "after the second run"
    spin = Disagreement(
        work="spin", fastest_s=8.1e-5, fastest=before, slowest_s=1.38e-4, slowest=after
    )
    one_round = Disagreement(
        work="round", fastest_s=1.31e-3, fastest=after, slowest_s=4.4e-3, slowest=before
    )
    void = [
        VoidPair(number=1, is_noise=True, canaries=spin),
        VoidPair(number=4, is_noise=False, canaries=one_round),
    ]
    stopping = Stopping(planned=10, analyses=[5], stopped_after=5, void=void)
    return msgspec.structs.replace(passed(), pairs=5, stopping=stopping)


GATES = {
    "disturbed": disturbed,
    "worse": gate,
    "passed": passed,
    "faulty": faulty,
    "too-few": too_few,
    "stopped": stopped,
    "stopped-passed": stopped_passed,
    "analysed-thrice": analysed_thrice,
}


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run in, the report is plain text and 100 columns wide."""
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize("name", GATES)
def test_at_a_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_gate(GATES[name](), "results/ab-1")
    golden.check(f"gate-{name}.txt", capsys.readouterr().out)


@pytest.mark.parametrize("name", GATES)
def test_as_markdown(name: str) -> None:
    golden.check(f"gate-{name}.md.txt", markdown(GATES[name]()))


@pytest.mark.parametrize("name", GATES)
def test_as_junit(name: str) -> None:
    golden.check(f"gate-{name}.junit.xml", junit(GATES[name]()))


@pytest.mark.parametrize("name", GATES)
def test_as_annotations(name: str) -> None:
    golden.check(f"gate-{name}.github.txt", "".join(f"{x}\n" for x in annotations(GATES[name]())))


def test_as_json() -> None:
    golden.check("gate-worse.json", comparison_record.encode(gate()).decode())


@pytest.mark.parametrize("name", GATES)
def test_the_counts_of_a_junit_suite_are_those_of_its_cases(name: str) -> None:
    suite = ElementTree.fromstring(junit(GATES[name]()))  # noqa: S314 - our own
    assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))


@pytest.mark.parametrize("width", [40, 60, 80, 89, 90, 120])
@pytest.mark.parametrize("name", GATES)
def test_no_figure_is_cut_off(name: str, width: int) -> None:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    for part in render(GATES[name](), None, width):
        console.print(part)
    assert "…" not in text.getvalue()


def test_no_name_or_flag_becomes_markup() -> None:
    text = markdown(faulty())
    assert "<script>" not in text
    assert "<b>" not in text
    assert "odd\\|name\\_" in text


def test_the_record_says_all_that_the_reports_say() -> None:
    written = json.loads(comparison_record.encode(gate()))
    assert written["format"] == "runqy-bench-gate/2"
    assert written["decision"] == "regression"
    assert [row["metric"] for row in written["rows"]] == [row.metric for row in ROWS]


QUEUES = (
    "a|b",
    "a,b",
    "a`b``c",
    "a\\|b",
    "*a*_b_",
    "[/red]",
    "@all#1",
    "<b>&amp;",
    "~~a~~",
    "x\ny",
    "\x1b[0m",
)


def odd(queue: str) -> GateRecord:
    """A regression of a queue of an odd name, which every other text holds as well."""
    row = msgspec.structs.replace(ROWS[0], metric=f"e2e{{{queue}}}.p99")
    return gate(
        rows=[row], title=queue, faults=[queue], notes=[queue], command=f"bench ab --name '{queue}'"
    )


@pytest.mark.parametrize("queue", QUEUES)
def test_a_reader_of_markdown_gets_every_name_back(queue: str) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    inline = [each for each in tokens.parse(markdown(odd(queue))) if each.type == "inline"]
    texts = ["".join(_texts(each.children or [])) for each in inline]
    name = visible(queue)
    heading, fault, *cells, footer = texts
    assert f"bench: {name}: 2 regressions, 0 inconclusive (" in heading
    assert fault == name
    assert (cells[0], cells[7], cells[13]) == ("metric", f"e2e{{{name}}}.p99", "regression")
    assert len(cells) == 14
    assert f"rerun: bench ab --name '{name}'" in footer


def test_no_name_calls_anybody_in_a_pull_request() -> None:
    """Where a name does not stand as code."""
    assert "@all" not in markdown(odd("@all#1")).replace("`e2e{@all#1}.p99`", "")


def _texts(tokens: Sequence[Token]) -> Iterable[str]:
    """What a reader sees of a line."""
    for each in tokens:
        if each.type in ("text", "code_inline", "text_special"):
            yield each.content
        assert each.type not in ("em_open", "link_open", "s_open")
        if each.type == "html_inline":
            assert each.content in ("<sub>", "</sub>", "<br>", "<code>", "</code>")


@pytest.mark.parametrize("queue", QUEUES)
def test_a_reader_of_junit_gets_every_name_back(queue: str) -> None:
    suite = ElementTree.fromstring(junit(odd(queue)))  # noqa: S314 - our own
    names = [visible(each.get("name", ""), keep="\n") for each in suite.findall("testcase")]
    assert names == ["correctness", visible(f"e2e{{{queue}}}.p99", keep="\n")]


@pytest.mark.parametrize("queue", [*QUEUES, "::error::", "a\r\n::stop-commands::x", "a:b,c%0A"])
def test_an_annotation_is_one_command_whatever_the_names(queue: str) -> None:
    for line in annotations(odd(queue)):
        assert line.isprintable()
        head, _, message = line.removeprefix("::").partition("::")
        assert head.startswith("error title=bench ")
        assert head.count(",") == head.count(":") == 0
        for mark, code in (("\n", "%0A"), ("\r", "%0D"), ("%", "%25")):
            message = message.replace(code, mark)
        assert message.isprintable() or queue in message


@pytest.mark.parametrize("columns", ["40", "80", "100"])
def test_a_long_name_costs_no_figure_and_no_verdict(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    print_gate(odd("fleet_queue_with_a_long_name_" * 3), None)
    text = capsys.readouterr().out
    assert "…" not in text
    unwrapped = " ".join(text.split())
    for figure in ("430 µs", "520 µs", "+20.9%", "+24.2]", "regression"):
        assert figure in unwrapped
    assert max(map(len, text.splitlines())) <= int(columns)
