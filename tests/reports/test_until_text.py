"""What came of ``--until``, as all reports of a run say it."""

import msgspec
import pytest

from bench.measure.stopping import UntilLook, UntilResult
from bench.records.run_record import RunRecord
from bench.reports.html.run_page import section
from bench.reports.markdown.run import markdown
from bench.reports.progress import plain_line
from bench.reports.run_panel import PanelSize, panel
from bench.reports.until_text import until
from tests.records.fixtures import example_record
from tests.reports.test_run import progress

P99, P50, RATE = "e2e.p99 ±5%", "e2e.p50 ±0.5ms", "completed.rate ±2%"


def look(asked: str, value: float | None, half: float | None, **changes: object) -> UntilLook:
    given = {"at_s": 102.0, "window_s": 90.0, "asked": asked, "value": value, "half_width": half}
    return UntilLook(**{**given, **changes})  # type: ignore[arg-type]


def record(result: UntilResult | None) -> RunRecord:
    made = example_record()
    warmup = msgspec.structs.replace(made.warmup, left_out_s=2.5, most_s=10.0)
    return msgspec.structs.replace(
        made, until=result, warmup=warmup, window_s=99.5, duration_s=600.0
    )


def ended(by: str, *analyses: UntilLook) -> UntilResult:
    return UntilResult(
        asked=[each.asked for each in analyses], ended_by=by, analyses=list(analyses)
    )


PRECISE = ended("precision", look(P99, 0.0041, 0.0002), look(P50, 0.002, 0.00041))


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, ""),
        (
            PRECISE,
            "ended after 102 s, precise enough: e2e.p99 4.10 ms ±4.9%, asked ±5%; e2e.p50 2.00 ms "
            "±410 µs, asked ±0.5ms",
        ),
        (
            ended("duration", look(P99, 0.004, 0.0003, window_s=455.0)),
            "--duration ended it before it was precise enough: e2e.p99 4.00 ms ±7.5%, asked ±5%: "
            "run longer, about 25.8 min",
        ),
        (
            ended("duration", look(P99, 0.004, 0.0002, window_s=455.0)),
            "--duration ended it before it was precise enough: e2e.p99 4.00 ms ±5.0%, asked ±5%: "
            "run longer, about 11.6 min",
        ),
        (
            ended("duration", look(P99, 0.004, 0.003, window_s=455.0)),
            "--duration ended it before it was precise enough: e2e.p99 4.00 ms ±75.0%, asked ±5%: "
            "that would take more than 20 times as long; ask for less",
        ),
        (
            ended("duration", look(P99, 0.004, None, withheld="periods")),
            "--duration ended it before it was precise enough: e2e.p99: how well is not known, as "
            "too few separate periods decide it, asked ±5%: run longer",
        ),
        (
            ended("cut short", look(RATE, 850.0, 8.5)),
            "cut short before it was precise enough: completed.rate 850/s ±1.0%, asked ±2%",
        ),
        (
            UntilResult(asked=[P99], ended_by="cut short"),
            "ended before the first look at how well figures are known: e2e.p99 ±5%",
        ),
    ],
)
def test_it_is_said_what_ended_the_run_and_how_well_figures_are_known(
    result: UntilResult | None, text: str
) -> None:
    assert until(record(result)) == text


def test_page_and_markdown_say_it() -> None:
    said = until(record(PRECISE))
    assert said in markdown(record(PRECISE))
    checks = section(record(PRECISE)).view["checks"]
    assert isinstance(checks, list)
    assert ("precision", said) in checks


def test_the_progress_shows_how_well_figures_are_known_so_far_and_when_the_next_look_is() -> None:
    scenario = msgspec.structs.replace(example_record().scenario, until=(P99,), warmup_s=10.0)
    for analyses, text in (
        ((), "until e2e.p99 ±5%; next look at 70 s"),
        ((look(P99, 0.004, 0.0003, window_s=60.0),), "e2e.p99 ±7.5%, asked ±5%; next look at 100"),
        (
            (look(P99, 0.004, None, withheld="tail"),),
            "e2e.p99 ±?, asked ±5%; next look at 2.4",
        ),
    ):
        state = progress(analyses=analyses)
        lines = [line.plain for line in panel(scenario, state, PanelSize(79, 23))]
        assert any(text in line for line in lines), lines
        assert all(len(line) <= 79 for line in lines)
        assert lines[0].endswith("left at most")
    assert plain_line(progress(analyses=PRECISE.analyses)).endswith("e2e.p50 ±410 µs, asked ±0.5ms")
