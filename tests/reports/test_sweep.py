"""A sweep at a terminal, as Markdown, as a page and its picture, and while it lasts."""

import io
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.analysis.sweep import LevelFigure, next_trial
from bench.records.sweep_record import SweepFigure, SweepRecord
from bench.reports import sweep_progress, sweep_text
from bench.reports.data_tables import table_of, to_csv
from bench.reports.html import sweep_page
from bench.reports.html.page import page
from bench.reports.markdown.sweep import markdown
from bench.reports.plots.sweep import sweep_pictures
from bench.reports.sweep import print_sweep, render, render_plan
from bench.reports.tracked import tracked_values
from tests import golden
from tests.records.sweep_fixtures import by_fields, by_prefetch, new_sweep, swept, with_limit

RECORDS: dict[str, Callable[[], SweepRecord]] = {
    "limit": with_limit,
    "fields": by_fields,
    "prefetch": by_prefetch,
}


def at_terminal(record: SweepRecord, width: int) -> str:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    for part in render(record, Path("s.json"), width):
        console.print(part)
    return text.getvalue()


def with_interval(record: SweepRecord) -> SweepRecord:
    """The record, whose trials know their p99 within 10%."""
    trials = [
        msgspec.structs.replace(
            each,
            latency_s={
                **each.latency_s,
                "p99": SweepFigure(value=0.01, low=0.009, high=0.011),
                "p99.9": SweepFigure(value=0.02, withheld="tail"),
            },
        )
        for each in record.trials
    ]
    return msgspec.structs.replace(record, trials=trials)


@pytest.mark.parametrize("width", [100, 120])
@pytest.mark.parametrize("name", RECORDS)
def test_the_report_is_the_one_that_was_looked_at(name: str, width: int) -> None:
    text = at_terminal(RECORDS[name](), width)
    assert max(map(len, text.splitlines())) <= width
    golden.check(f"sweep-{name}-{width}.txt", text)


def test_a_narrow_terminal_has_a_line_for_each_level_and_cuts_no_figure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    print_sweep(by_prefetch(), None)
    told = " ".join(capsys.readouterr().out.replace("\u00a0", " ").split())
    assert "prefetch=8, rate=8,000/s verdict valid · achieved 8,000/s · p50 4.86 ms (4.50–" in told
    assert "…" not in told


def test_the_markdown_is_the_one_that_was_looked_at() -> None:
    golden.check("sweep.md.txt", markdown(with_limit()))


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (
            with_limit,
            "example on valkey 9.1.0 keeps up to 8,000/s with e2e.p99 18.0 ms (17.3–19.4); at "
            "10,000/s the backlog grows",
        ),
        (
            lambda: swept(new_sweep(["rate=1000/s,2000/s"])),
            "example on valkey 9.1.0 keeps up at every rate, up to 2,000/s with e2e.p99 2.57 ms "
            "(2.47–2.78): its limit is higher",
        ),
        (
            lambda: swept(new_sweep(["rate=9000/s,10000/s"])),
            "example on valkey 9.1.0 is not valid even at 9,000/s, the lowest rate: the backlog "
            "grows",
        ),
        (
            by_prefetch,
            "example on valkey 9.1.0 keeps up to at least 14,000/s with prefetch=64; to 8,000/s "
            "with prefetch=8; to 5,000/s with prefetch=1",
        ),
        (
            by_fields,
            "example on valkey 9.1.0: e2e.p99 2.40 ms (?) with prefetch=64, payload_size=100B to "
            "4.00 ms (?) with prefetch=1, payload_size=10kB",
        ),
        (new_sweep, "example: no level was tried"),
    ],
)
def test_the_sentence_says_up_to_where_the_queue_keeps_up(
    record: Callable[[], SweepRecord], sentence: str
) -> None:
    assert sweep_text.sentence(record()) == sentence


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (LevelFigure(0.00314, 0.0029, 0.00341), "3.14 ms (2.90–3.41)"),
        (LevelFigure(0.00095, 0.00087, 0.0011), "950 µs (870 µs–1.10 ms)"),
        (LevelFigure(0.00314, None, None), "3.14 ms (?)"),
        (LevelFigure(None, None, None), "–"),
    ],
)
def test_a_latency_shows_how_sure_it_is_or_that_it_is_not_known(
    figure: LevelFigure, text: str
) -> None:
    assert sweep_text.duration_text(figure, sweep_text.NO_RANGE) == text


def test_where_some_figures_have_an_interval_the_others_say_that_they_have_none() -> None:
    rows = sweep_text.rows(with_interval(by_fields()))
    assert all(row[5] == "10.0 ms (9.00–11.0)" for row in rows)
    assert all(row[4].endswith(" (?)") and row[6] == "20.0 ms (?)" for row in rows)
    (told,) = (x for x in sweep_text.explanations(with_interval(by_fields())) if "(?)" in x)
    assert "(?) where too few tasks lie beyond the percentile" in told
    plain = sweep_text.rows(by_fields())
    assert not any("(" in cell for row in plain for cell in row)
    assert any("is not known" in line for line in sweep_text.explanations(by_fields()))


def test_a_level_that_is_not_valid_never_stands_without_its_verdict() -> None:
    record = with_limit()
    trials = [
        msgspec.structs.replace(each, verdict="lossy", problem="2 tasks are lost")
        if (each.level, each.repetition) == (0, 2)
        else each
        for each in record.trials
    ]
    changed = msgspec.structs.replace(record, trials=trials)
    verdicts = [row[1] for row in sweep_text.rows(changed)]
    assert verdicts == ["1 of 3 lossy", *["valid"] * 3, *["unstable"] * 2]
    notes = list(sweep_text.notes(changed))
    assert "2,000/s is not valid, but 8,000/s above it is" in notes[0]
    assert notes[1] == "2,000/s: 2 tasks are lost"


def test_objectives_are_judged_at_each_level() -> None:
    record = swept(new_sweep(repeat=2))
    trials = [
        msgspec.structs.replace(each, missed=["e2e.p99 < 5ms"] if each.level > 1 else [])
        for each in record.trials
    ]
    verdicts = [row[1] for row in sweep_text.rows(msgspec.structs.replace(record, trials=trials))]
    assert verdicts[1:3] == ["valid", "valid, objective missed in 2"]
    assert verdicts[5] == "unstable, objective missed in 2"


def test_what_is_still_to_be_made_is_told_with_the_command_that_makes_it() -> None:
    record = swept(new_sweep(), 7)
    text = at_terminal(record, 100)
    assert "it was interrupted: 11 trials to be made" in text
    assert "bench sweep --resume s.json" in text
    assert any("(1 of 3 trials)" in row[1] for row in sweep_text.rows(record))
    budget = msgspec.structs.replace(record, ended="budget")
    assert next(iter(sweep_text.notes(budget))) == "the budget ended: 11 trials to be made"


def test_the_plan_shows_the_place_of_each_trial_and_the_time() -> None:
    text = io.StringIO()
    for part in render_plan(new_sweep()):
        Console(width=100, file=text, highlight=False).print(part)
    golden.check("sweep-plan.txt", text.getvalue())


def test_the_progress_tells_the_time_left_and_what_the_last_trial_found() -> None:
    record = swept(new_sweep(), 2)
    line = sweep_progress.plain_line(record, next_trial(record))
    assert line.startswith("trial 3 of 18: ")
    assert "(1 of 3) · about 3.3 min left · " in line
    assert line.count("p99 ") == 1
    assert sweep_progress.plain_line(with_limit(), None).startswith("all trials are done · ")
    text = io.StringIO()
    panel = sweep_progress.panel(record, next_trial(record), 5.0)
    Console(width=60, file=text).print(panel)
    assert max(map(len, text.getvalue().splitlines())) <= 60
    opening = sweep_progress.opening(new_sweep(), "s.json")
    assert opening == "6 levels: 18 trials of 10.0 s, about 3.8 min; saved in s.json"


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDS)
def test_a_page_shows_every_level_and_every_trial_and_names_act_as_text(name: str) -> None:
    record = RECORDS[name]()
    hostile = msgspec.structs.replace(record.trials[0], problem="<script>alert(1)</script>")
    record = msgspec.structs.replace(record, trials=[hostile, *record.trials[1:]])
    text = page([sweep_page.section(record, Path("s.json"))])
    assert "<script>alert" not in text
    assert all(each.file in text for each in record.trials)
    assert text.count('role="img"') == 2 * len(sweep_pictures(record))


@pytest.mark.parametrize(
    ("record", "verdict", "tone"),
    [
        (by_fields, "MEASURED", "good"),
        (lambda: swept(new_sweep(), 3), "INCOMPLETE", "open"),
        (lambda: swept(new_sweep(["rate=9000/s,10000/s"])), "NOT VALID", "bad"),
    ],
)
def test_the_badge_of_the_page(record: Callable[[], SweepRecord], verdict: str, tone: str) -> None:
    section = sweep_page.section(record())
    assert (section.verdict, section.tone) == (verdict, tone)


@pytest.mark.slow
def test_the_picture_is_the_one_that_was_looked_at() -> None:
    (picture,) = sweep_pictures(with_limit())
    golden.check("sweep.svg", picture.file("svg").decode())


@pytest.mark.slow
def test_the_picture_marks_where_the_queue_stops_keeping_up_and_draws_every_trial() -> None:
    limited = sweep_pictures(with_limit())[0].file("svg").decode()
    assert "the backlog grows →" in limited
    assert "does not keep up" in limited
    free = sweep_pictures(swept(new_sweep(["rate=1000/s,2000/s"])))[0].file("svg").decode()
    assert "does not keep up" not in free
    fewer = sweep_pictures(swept(new_sweep(repeat=2)))[0].file("svg").decode()
    assert limited.count("<use ") - fewer.count("<use ") == 6 * 3  # levels by percentiles


def test_pictures_are_of_the_combinations_that_were_measured() -> None:
    assert [each.name for each in sweep_pictures(by_prefetch())] == [
        *("together", "curve-1", "curve-2", "curve-3")
    ]
    assert [each.name for each in sweep_pictures(by_fields())] == ["levels"]
    assert sweep_pictures(new_sweep()) == []


def test_the_table_has_a_row_for_each_trial_with_the_ends_of_its_interval() -> None:
    record = with_interval(by_fields())
    table = table_of(record)
    assert all(len(row) == len(table.columns) for row in table.rows)
    lines = to_csv(table).splitlines()
    assert lines[0].startswith("prefetch,payload_size,offered_per_s,repetition,seed,file,verdict")
    assert ",0.01,0.009,0.011," in lines[1]
    assert len(lines) == 1 + len(record.trials)


def test_only_valid_levels_are_tracked() -> None:
    values = tracked_values(with_limit())
    names = {each.name.rpartition("/")[0] for each in values}
    assert names == {f"example/rate={rate}/s" for rate in (2000, 4000, 6000, 8000)}
    p99 = next(each for each in values if each.name == "example/rate=8000/s/e2e.p99")
    assert (p99.low or 0) < p99.value < (p99.high or 0)
