"""The arrivals of a whole run, from the reports of its producers to the record and its verdict."""

from typing import Any

import numpy as np
import pytest

from bench.measure.arrivals import Outcome
from bench.measure.reports import ProducerReport
from bench.measure.send_times import SendTimes
from bench.run.build_record import build_record
from tests.run.values import START_US, codes, collected, producer, scenario


def sent(late_us: int, every: int, **fields: Any) -> ProducerReport:
    """A hundred tasks in a second, of which every n-th is sent that late."""
    collector = SendTimes.of(scenario(), 0, 300, START_US)
    assert collector is not None
    numbers = np.arange(100)
    due_us = START_US + 10_000 * numbers
    collector.count(numbers, due_us, due_us + np.where(numbers % every == 0, late_us, 0))
    return producer(sent_by_bin=collector.by_bin(), sent_sample=collector.sample(), **fields)


@pytest.mark.parametrize(
    ("report", "outcome", "verdict", "code"),
    [
        (sent(200, 2), Outcome.AS_ASKED, "valid", ""),
        (sent(2000, 2), Outcome.UNEVEN, "valid", "arrivals_uneven"),
        (sent(7000, 2), Outcome.NOT_AS_ASKED, "generator_limited", "arrivals_not_as_asked"),
        (sent(7000, 99), Outcome.AS_ASKED, "valid", ""),
        (sent(7000, 2, held_us=[(0, 1000)]), Outcome.NOT_JUDGED, "valid", ""),
        (producer(), Outcome.NOT_JUDGED, "valid", ""),
    ],
)
def test_how_tasks_were_sent_shows_in_the_verdict(
    report: ProducerReport, outcome: Outcome, verdict: str, code: str
) -> None:
    record = build_record(collected(producers=[report]))
    assert record.arrivals is not None
    assert (record.arrivals.outcome, record.verdict) == (outcome, verdict)
    found = [each for each in codes(record) if each.startswith("arrivals")]
    assert found == ([code] if code else [])


def test_a_closed_loop_says_that_it_has_no_schedule() -> None:
    record = build_record(collected(scenario(rate="max", duration=1)))
    assert record.arrivals is not None
    assert record.arrivals.process == "max"
    assert record.arrivals.reason == "closed loop: there is no schedule"
