"""How tasks were sent, as all reports of a run say it."""

import msgspec
import pytest

from bench.measure.arrivals import Arrivals, Outcome, PoissonFit
from bench.records.run_record import RunRecord
from bench.reports.arrivals_text import arrivals
from bench.reports.html.run_page import section
from bench.reports.markdown.run import markdown
from tests.records.fixtures import example_record

RANDOM = Arrivals(
    process="poisson",
    outcome=Outcome.AS_ASKED,
    resolution_s=0.0003,
    gaps=8499,
    off_p99_s=0.000_41,
    rate_error=0.00002,
    sent=PoissonFit(0.0081, 0.61, 0.012, 0.4),
    dispersion=1.04,
    dispersion_window_s=0.1,
)


def record(found: Arrivals | None) -> RunRecord:
    return msgspec.structs.replace(example_record(), arrivals=found)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, ""),
        (
            RANDOM,
            "Poisson, as asked: Kolmogorov-Smirnov distance of the gaps 0.8%, correlation of "
            "successive gaps +0.01, dispersion 1.04 over 100 ms; seen to within 300 µs, over 8,499 "
            "gaps",
        ),
        (
            msgspec.structs.replace(
                RANDOM, process="constant", sent=None, outcome=Outcome.UNEVEN, off_p99_s=0.0062
            ),
            "constant, uneven within 6.20 ms: 99% of gaps are within 6.20 ms of the schedule's, "
            "the rate within 0.01%; seen to within 300 µs, over 8,499 gaps",
        ),
        (
            Arrivals(process="trace", outcome=Outcome.NOT_JUDGED, reason="there are 2 gaps"),
            "not compared with the schedule: there are 2 gaps",
        ),
    ],
)
def test_the_outcome_comes_first_and_then_its_figures(found: Arrivals | None, text: str) -> None:
    assert arrivals(record(found)) == text


def checks(found: Arrivals | None) -> dict[str, str]:
    """The facts on the page that the validity of its figures depends on."""
    rows = section(record(found)).view["checks"]
    assert isinstance(rows, list)
    return dict(rows)


def test_the_page_and_markdown_say_what_the_terminal_says() -> None:
    text = arrivals(record(RANDOM))
    assert checks(RANDOM)["arrivals"] == text
    assert text in markdown(record(RANDOM))
    assert "arrivals" not in checks(None)
