"""The HTML report: that it stands alone, hides nothing, and says what the record says."""

import functools
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from bench.measure.histogram import Histogram
from bench.records import run_record
from bench.records.comparison_record import GateRecord
from bench.records.run_record import LatencySummary, RunRecord, Series
from bench.records.summaries import summarise
from bench.reports.html import gate_page, run_page, side_by_side_page
from bench.reports.html.page import page, write_images
from bench.reports.html.section import Section
from tests.records.fixtures import HIGH, LOW, example_record
from tests.reports.test_gate import faulty, gate, passed, too_few
from tests.reports.test_run import inverted_record

pytestmark = pytest.mark.slow

changed = msgspec.structs.replace

HOSTILE = '<script>alert("1")</script>&amp;$x_1$\x1b[31m\u202e'
SHOWN = r'<script>alert("1")</script>&amp;$x_1$\x1b[31m\u202e'
INVALID = "GENERATOR LIMITED: do not quote"

EARLIER_RECORD = Path(__file__).parents[1] / "records/data/run-default.json"


class Parsed(HTMLParser):
    """A page's elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.style = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] == "style" and not self.style:
            self.style = data
        elif data.strip():
            self.text.append(" ".join(data.split()))

    def values(self, *names: str) -> list[str]:
        """Of all attributes of these names."""
        return [str(each[name]) for _, each in self.elements for name in names if name in each]


def long_record() -> RunRecord:
    """An hour of load, with a single second in which everything went wrong."""
    record = example_record()
    row = record.series.rows[5]
    rows = [[second, *row[1:]] for second in range(3600)]
    columns = record.series.columns
    rows[1801][columns.index("e2e_p99_s")] = 4.2
    rows[1801][columns.index("finished")] = 0
    rows[1801][columns.index(f"backlog:{LOW}")] = 4321
    return changed(record, series=Series(1.0, columns, rows))


def invalid_record() -> RunRecord:
    return changed(example_record(), verdict="generator_limited")


def without_workers() -> RunRecord:
    """A closed loop that nobody serves: enqueue is all that there is."""
    record = example_record()
    nothing = LatencySummary(count=0)
    latency = {
        interval: queues if interval == "enqueue" else dict.fromkeys(queues, nothing)
        for interval, queues in record.latency.items()
    }
    scenario = changed(record.scenario, arrivals="max", rate_per_s=None, workers=0, slo=())
    rates = changed(record.rates, asked_per_s=None, completed_per_s=None)
    return changed(
        record, latency=latency, scenario=scenario, rates=rates, slo=[], series=Series(1.0, [], [])
    )


def hostile_record() -> RunRecord:
    """Whatever a user may name is named to break the page."""
    record = example_record()
    queue = f"inference_{HOSTILE}"

    def renamed(values: dict[str, object]) -> dict[str, object]:
        return {queue if name == LOW else name: value for name, value in values.items()}

    return changed(
        record,
        command=f"bench run {HOSTILE}",
        scenario=changed(
            record.scenario,
            name=HOSTILE,
            description=HOSTILE,
            queues=renamed(dict(record.scenario.queues)),
        ),
        environment={HOSTILE: HOSTILE},
        queues=renamed(dict(record.queues)),
        latency={interval: renamed(dict(each)) for interval, each in record.latency.items()},
        warnings=[changed(record.warnings[0], message=HOSTILE)],
        series=changed(
            record.series,
            columns=[f"backlog:{queue}" if LOW in name else name for name in record.series.columns],
        ),
    )


def hostile_gate() -> GateRecord:
    side = changed(faulty().candidate, label=HOSTILE, what=HOSTILE)
    return changed(faulty(), title=HOSTILE, command=HOSTILE, faults=[HOSTILE], candidate=side)


RUNS: dict[str, Callable[[], list[RunRecord]]] = {
    "side by side": lambda: [example_record(), invalid_record()],
    "side by side of hostile names": lambda: [hostile_record(), hostile_record()],
    "side by side without workers": lambda: [example_record(), without_workers(), long_record()],
}
"""Runs of pages that show them side by side."""


def files_of(name: str) -> list[tuple[Path, RunRecord]]:
    return [(Path(f"{place}/run.json"), each) for place, each in enumerate(RUNS[name]())]


def marked(name: str) -> list[Section]:
    files = files_of(name)
    sections = [run_page.section(record) for _, record in files]
    return side_by_side_page.marked(sections, [path for path, _ in files])


SECTIONS: dict[str, Callable[[], list[Section]]] = {
    **{name: functools.partial(marked, name) for name in RUNS},
    "run": lambda: [run_page.section(example_record())],
    "long run": lambda: [run_page.section(long_record())],
    "invalid run": lambda: [run_page.section(invalid_record())],
    "run without workers": lambda: [run_page.section(without_workers())],
    "comparison": lambda: [gate_page.section(gate())],
    "comparison of two pairs": lambda: [gate_page.section(too_few())],
    "hostile": lambda: [run_page.section(hostile_record()), gate_page.section(hostile_gate())],
    "several": lambda: [
        run_page.section(example_record()),
        gate_page.section(passed()),
        run_page.section(invalid_record()),
    ],
}


@functools.cache
def drawn(name: str) -> str:
    """Each page is drawn once for all tests."""
    sections: list[Section] = SECTIONS[name]()
    return page(sections, side_by_side_page.part(files_of(name)) if name in RUNS else None)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_needs_no_other_file_no_network_and_no_script(name: str) -> None:
    text = drawn(name)
    parsed = Parsed(text)
    links = parsed.values("src", "href", "xlink:href", "srcset", "action", "data", "poster")
    assert {link for link in links if not link.startswith(("#", "data:"))} == set()
    tags = {tag for tag, _ in parsed.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "img"})
    assert not [key for _, each in parsed.elements for key in each if key.startswith("on")]
    assert "@import" not in text
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", text)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_name_in_a_page_is_its_own_and_every_reference_has_its_target(name: str) -> None:
    parsed = Parsed(drawn(name))
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    clips = re.findall(r"url\(#([\w-]+)\)", drawn(name))
    links = [link.removeprefix("#") for link in parsed.values("href", "xlink:href")]
    assert {*clips, *links} <= set(ids)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_picture_has_the_pages_ink_and_says_what_it_shows(name: str) -> None:
    drawings = [each for tag, each in Parsed(drawn(name)).elements if tag == "svg"]
    pictures = [each for each in drawings if "aria-hidden" not in each]
    assert pictures
    assert all(each["role"] == "img" and each["aria-label"] for each in pictures)
    assert "currentColor" in drawn(name)
    assert "#1b1b1f" not in "".join(re.findall(r"<svg.*?</svg>", drawn(name), re.DOTALL))


def test_names_are_shown_as_they_are_and_never_become_markup() -> None:
    parsed = Parsed(drawn("hostile"))
    assert SHOWN in parsed.text
    assert f"bench run {SHOWN}" in " ".join(parsed.text)
    assert f"inference_{SHOWN}" in parsed.text
    assert "<script" not in drawn("hostile")
    assert {each for each in drawn("hostile") if not each.isprintable()} == {"\n"}


def test_pictures_of_odd_names_can_be_read() -> None:
    for picture in run_page.section(hostile_record()).pictures:
        ElementTree.fromstring(picture.file("svg"))  # noqa: S314 - our own


@pytest.mark.parametrize("name", SECTIONS)
def test_a_page_has_one_style_sheet_and_is_legible_without_it(name: str) -> None:
    """Where a web server allows none, pictures still have their colours, and each is shown once."""
    parsed = Parsed(drawn(name))
    assert parsed.values("style") == []
    assert [tag for tag, _ in parsed.elements].count("style") == 1
    narrow = [each for _, each in parsed.elements if each.get("class") == "narrow"]
    assert narrow
    assert all("hidden" in each for each in narrow)


def test_the_answer_gives_the_rates_and_the_percentiles() -> None:
    assert run_page.answer(example_record()) == (
        "850/s ±1 enqueued and 849/s ±9 completed over 10.0 s, with 850/s offered; end-to-end "
        "latency was 5.65 ms ±0.087 at p50 and 144 ms ±16 at p99. 1 of 3 objectives missed."
    )


def test_without_workers_the_answer_is_about_enqueueing() -> None:
    assert run_page.answer(without_workers()) == (
        "850/s ±1 enqueued over 10.0 s; the server's acknowledgement took 180 µs ±3 at p50 and "
        "456 µs ±49 at p99."
    )


@pytest.mark.parametrize("name", ["invalid run", "several"])
def test_figures_of_an_invalid_run_never_stand_without_their_verdict(name: str) -> None:
    text = drawn(name)
    parsed = Parsed(text)
    answer = re.search(rf"<p class=\"answer\">[^/]*{INVALID}</strong> 850/s ±1 enqueued", text)
    assert answer is not None
    assert f"Latency of each interval ({INVALID})" in parsed.text
    assert f"Latency of each sub-queue ({INVALID})" in parsed.text
    pictures = run_page.section(invalid_record()).pictures
    assert {picture.banner for picture in pictures} == {INVALID}
    labels = [str(each["aria-label"]) for tag, each in parsed.elements if tag == "svg"]
    assert sum(INVALID in label for label in labels) == 2 * len(pictures)
    assert parsed.text.count(INVALID) >= 2 * len(pictures) + 1, "in the pictures themselves"


def test_in_the_table_of_all_records_each_has_its_verdict() -> None:
    text = drawn("several").partition('class="record"')[0]
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)
    cells = [Parsed(row).text for row in rows]
    figures = ["850/s ±1", "849/s ±9", "5.65 ms ±0.087", "144 ms ±16", "2026-01-15 09:30:00 UTC"]
    assert ["priority", INVALID, *figures] in cells
    assert ["priority", "VALID", *figures] in cells
    assert ["default: A versus B", "NO WORSE"] in [row[:2] for row in cells]


def test_a_run_shows_its_warnings_objectives_ledger_and_command() -> None:
    text = Parsed(drawn("run")).text
    record = example_record()
    assert record.warnings[0].message in text
    assert [objective.expression in text for objective in record.slo] == [True] * 3
    assert [text.count("✓ met"), text.count("✗ missed")] == [2, 1]
    assert "10,196" in text, "completed, of all"
    assert "2,543" in text, "completed, of one sub-queue"
    assert "2.00 s of warm-up (detected; 1,700 tasks excluded, the slowest 914 ms)" in text
    assert record.command in " ".join(text)


def test_a_comparison_shows_its_decision_faults_and_metrics() -> None:
    text = Parsed(page([gate_page.section(faulty())])).text
    assert "REGRESSION" in text
    assert "the candidate lost 12 tasks, the base 0" in text
    assert {"completed.rate", "no worse"} <= set(text)


def test_an_hours_page_is_small() -> None:
    assert len(drawn("long run").encode()) < 2_000_000


def test_an_hours_pictures_say_that_not_every_second_is_drawn() -> None:
    captions = {each.name: each.caption for each in run_page.section(long_record()).pictures}
    assert "For each 12 s, only the highest point is drawn" in captions["latency"]
    assert "For each 24 s, only the lowest and highest points are drawn" in captions["rates"]
    short = {each.name: each.caption for each in run_page.section(example_record()).pictures}
    assert "drawn" not in short["latency"] + short["rates"]


def test_images_are_written_as_svg_and_png_one_pair_a_picture(tmp_path: Path) -> None:
    sections = [run_page.section(example_record()), gate_page.section(gate())]
    write_images(sections, tmp_path / "new")
    names = {f"run-1-{each.name}" for each in sections[0].pictures} | {"gate-2-forest"}
    assert {"run-1-spectrum", "run-1-rates", "run-1-backlog", "run-1-queues"} < names
    written = {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()}
    assert set(written) == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    for name, content in written.items():
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")
        else:
            assert ElementTree.fromstring(content).tag.endswith("svg")  # noqa: S314 - our own


@pytest.mark.parametrize("values_us", [(), (0,), (500,), (-5, 7), (1, 4_000_000_000)], ids=str)
def test_a_run_with_hardly_any_samples_is_drawn_too(values_us: tuple[int, ...]) -> None:
    histogram = Histogram()
    for value in values_us:
        histogram.record(value)
    record = example_record()
    latency = {
        interval: dict.fromkeys(queues, summarise(histogram))
        for interval, queues in record.latency.items()
    }
    series = changed(record.series, rows=record.series.rows[:1])
    text = page([run_page.section(changed(record, latency=latency, series=series))])
    assert "VALID" in Parsed(text).text


def test_priorities_are_reported_in_sentences() -> None:
    assert run_page.priority_lines(without_workers()) == []
    judged = run_page.priority_lines(changed(example_record(), inversions=[]))
    assert judged[0].startswith("No priority inversion: at p50, p90, p99, no sub-queue waited ")
    lines = run_page.priority_lines(inverted_record())
    assert lines[0] == (
        f"Priority inversion: {LOW} was served before {HIGH} "
        "(e2e p50 211 ms against 534 ms, p90 295 ms against 610 ms)."
    )
    assert lines[1] == f"Longest wait: one task of {LOW} waited 937 ms for a worker."
    assert len(judged) == len(lines) == 2


def test_a_record_without_a_judgement_of_priorities_shows_none() -> None:
    """An older one, for example."""
    assert [line[:12] for line in run_page.priority_lines(example_record())] == ["Longest wait"]
    earlier = run_record.load(EARLIER_RECORD)
    assert "nversion" not in " ".join(Parsed(page([run_page.section(earlier)])).text)


def test_the_weights_of_priorities_are_stated() -> None:
    weights = {HIGH: 6.0, LOW: 1.0}
    scenario = changed(example_record().scenario, priority="weighted", priorities=weights)
    lines = run_page.priority_lines(changed(example_record(), scenario=scenario))
    assert lines[0] == (
        f"Sub-queues were drawn by the weights of their priorities: {HIGH} 6, {LOW} 1."
    )


def test_weights_of_an_earlier_record_are_no_priorities() -> None:
    scenario = changed(example_record().scenario, priority="weighted")
    lines = run_page.priority_lines(changed(example_record(), scenario=scenario))
    assert lines[0] == (
        "Sub-queues were drawn by weight, which is their share of the load: none had priority."
    )


def test_many_inversions_are_counted() -> None:
    inversion = (inverted_record().inversions or [])[0]
    pairs = [changed(inversion, lower=f"low{number}") for number in range(13)]
    lines = run_page.priority_lines(changed(inverted_record(), inversions=pairs))
    assert len(lines) == 12
    assert lines[10] == "3 more pairs are inverted."


def test_a_drain_in_the_wrong_order_says_so_in_its_answer() -> None:
    assert run_page.answer(inverted_record()).endswith(
        f" Low priority first: {LOW} was served before {HIGH} (e2e p50 211 ms against 534 ms)."
    )
    assert "priority" not in run_page.answer(inverted_record("with-run"))


def test_a_run_has_one_colour_in_its_line_its_columns_and_its_section() -> None:
    text = drawn("side by side")
    for letter, color in (("A", "#0072B2"), ("B", "#D55E00")):
        swatch = rf'<svg class="swatch"[^>]*><rect [^>]*fill="{color}"/></svg>\s*'
        assert len(re.findall(rf"{swatch}{letter}\s*</th>", text)) == 1
        place = "AB".index(letter)
        assert len(re.findall(rf"<h2>{swatch}{letter} {place}/run: priority</h2>", text)) == 1
    lines = re.findall(r'<path [^>]*stroke="(#\w+)"', text.partition("<h2>")[0])
    assert {"#0072B2", "#d55e00"} <= {each.lower().replace("#0072b2", "#0072B2") for each in lines}


def test_runs_side_by_side_have_their_spectra_and_time_lines_in_one_picture_each() -> None:
    side = side_by_side_page.part(files_of("side by side"))
    assert [each.name for each in side.pictures] == ["spectrum", "rates", "backlog", "latency"]
    for picture in side.pictures:
        drawn_text = picture.file("svg").decode()
        assert "A  0/run" in drawn_text
        assert "B  1/run" in drawn_text
        assert "B GENERATOR LIMITED: do not quote" in drawn_text
    unserved = side_by_side_page.part(files_of("side by side without workers"))
    assert unserved.pictures[0].title == "Percentile spectrum of enqueue"
    assert unserved.pictures[1].title == "Tasks enqueued per second"


def test_a_figure_of_a_run_that_is_not_valid_is_not_quoted_side_by_side() -> None:
    parsed = Parsed(drawn("side by side"))
    assert "Figures of each run (B GENERATOR LIMITED: do not quote)" in parsed.text
