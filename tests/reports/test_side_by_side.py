"""Runs side by side: which figures and settings stand there, and how they are said to differ."""

from pathlib import Path

import msgspec
import pytest

from bench.analysis.side_by_side import MOST_RUNS, side_by_side
from bench.measure.confidence import ConfidenceInterval
from bench.measure.ledger import total
from bench.records.run_record import RunRecord
from bench.reports import side_by_side_text as text
from bench.reports.markdown.side_by_side import markdown
from bench.reports.plots.canvas import LINES
from bench.reports.side_by_side import print_side_by_side
from tests import golden
from tests.records.fixtures import HIGH, example_record

changed = msgspec.structs.replace
BASE = example_record()


def slower(interval: ConfidenceInterval) -> ConfidenceInterval:
    """The interval of a latency that is a quarter higher; as it is where there is none."""
    if interval.low is None or interval.high is None:
        return interval
    return ConfidenceInterval(low=interval.low * 1.25, high=interval.high * 1.25)


def older(record: RunRecord) -> RunRecord:
    """The same record without intervals, as older versions wrote it."""
    latency = {
        interval: {queue: changed(each, confidence={}) for queue, each in queues.items()}
        for interval, queues in record.latency.items()
    }
    return changed(record, latency=latency, rates=changed(record.rates, confidence={}))


def other() -> RunRecord:
    """Twice the load on another server: slower, and twelve tasks were lost."""
    counts = changed(BASE.queues[HIGH], completed=BASE.queues[HIGH].completed - 12, lost=12)
    queues = {**BASE.queues, HIGH: counts}
    e2e = {
        queue: changed(
            each,
            p99_s=(each.p99_s or 0) * 1.25,
            max_s=(each.max_s or 0) * 1.25,
            confidence={**each.confidence, "p99_s": slower(each.confidence["p99_s"])},
        )
        for queue, each in BASE.latency["e2e"].items()
    }
    return changed(
        BASE,
        id="f" * 15,
        started_at="2026-01-16T09:30:00.250+00:00",
        verdict="lossy",
        scenario=changed(BASE.scenario, name="double", rate_per_s=1700.0, seed=8),
        server={**BASE.server, "version": "9.2.0"},
        rates=changed(
            BASE.rates,
            enqueued_per_s=1700.0,
            completed_per_s=None,
            confidence={"enqueued_per_s": ConfidenceInterval(low=1699.0, high=1701.0)},
        ),
        counts=total(queues.values()),
        queues=queues,
        latency={**BASE.latency, "e2e": e2e},
    )


FILES = [(Path("runs/base.json"), BASE), (Path("runs/other.json"), other())]


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run in, the report is plain text."""
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)


def test_two_runs_in_the_terminal_and_as_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    print_side_by_side(FILES, [path for path, _ in FILES])
    golden.check("side-by-side.txt", capsys.readouterr().out)
    golden.check("side-by-side.md.txt", markdown(FILES))


def test_no_figure_is_cut_in_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_side_by_side([*FILES, *FILES, *FILES], [])
    shown = capsys.readouterr().out.replace("\N{NO-BREAK SPACE}", " ")
    assert "…" not in shown
    assert max(map(len, shown.splitlines())) <= 40
    assert "F vs A +100.0%" in " ".join(shown.split())


def test_margins_give_way_to_figures_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four runs fit beside each other at 100 columns without their margins, at 160 with them."""
    shown = {}
    for width in (100, 160):
        monkeypatch.setenv("COLUMNS", str(width))
        print_side_by_side([*FILES, *FILES], [])
        shown[width] = " ".join(capsys.readouterr().out.split())
    assert "180 ms ±20" not in shown[100]
    assert "left out for want of room" in shown[100]
    assert "180 ms ±20" in shown[160]
    assert "left out for want of room" not in shown[160]


def test_a_run_of_an_older_version_is_named_once_as_one_without_intervals(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_side_by_side([FILES[0], (Path("old.json"), older(BASE))], [])
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("how sure the percentiles of B are is not known") == 1


def test_more_runs_than_colours_are_listed_a_line_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [(Path(f"{place}.json"), each) for place, (_, each) in enumerate(FILES * 4)]
    print_side_by_side(files, [Path()])
    shown = capsys.readouterr().out
    assert shown.count("LOSSY") == shown.count("VALID") == 4
    assert "4 runs not valid: do not quote these figures" in shown
    assert "8 runs; name 2 to 6 of them to see them side by side" in shown
    assert "next: bench history . shows" in shown
    assert "### bench: 8 runs\n" in markdown(files)


def test_each_run_has_a_letter_and_a_colour_of_its_own() -> None:
    assert MOST_RUNS == len(text.LETTERS) == len({each["color"] for each in LINES})


def test_a_figure_that_one_run_lacks_has_no_change_and_one_that_was_zero_no_share() -> None:
    side = side_by_side([BASE, other()])
    cells = {row.metric.name: text.figure_cells(row, side.records) for row in side.figures}
    assert cells["enqueue.rate"] == ["enqueue.rate", "850/s ±1", "1,700/s ±1", "+100.0%"]
    assert cells["completed.rate"] == ["completed.rate", "849/s ±9", "–", "–"]
    assert cells["lost"] == ["lost", "0", "12", "+12"]
    assert "duplicated" not in cells


def test_a_change_is_that_of_each_run_against_the_first() -> None:
    rates = [100.0, 150.0, 50.0]
    runs = [changed(BASE, rates=changed(BASE.rates, enqueued_per_s=each)) for each in rates]
    row = side_by_side(runs).figures[0]
    assert (row.values, row.changes) == (rates, [0.5, -0.5])


def test_settings_that_differ_are_named_as_users_write_them() -> None:
    rows = {row.label: row.values for row in side_by_side([BASE, other(), BASE]).settings}
    assert rows == {
        "--rate": ["850/s", "1700/s", "850/s"],
        "--seed": ["7", "8", "7"],
        "server.version": ["9.1.0", "9.2.0", "9.1.0"],
    }
    assert side_by_side([BASE, BASE]).settings == []


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["results/a.json", "results/b.json"], ["a", "b"]),
        (["base/0.json", "candidate/0.json"], ["base/0", "candidate/0"]),
        (["x/1/run.json", "y/1/run.json", "run.json"], ["x/1/run", "y/1/run", "run"]),
        (["a.json", "a.json"], ["a", "a"]),
        (["/dev/fd/63", "/dev/fd/62"], ["63", "62"]),
    ],
)
def test_a_run_is_called_by_the_end_of_its_path_that_tells_it_apart(
    paths: list[str], names: list[str]
) -> None:
    assert text.names(list(map(Path, paths))) == names


def test_a_run_that_is_given_twice_is_said_to_be() -> None:
    assert text.SAME_RUN in list(text.notes(side_by_side([BASE, BASE])))
    assert text.SAME_RUN not in list(text.notes(side_by_side([BASE, other()])))
