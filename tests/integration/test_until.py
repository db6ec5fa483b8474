"""Real runs that end once their figures are known well enough, or else after their duration."""

import math
from typing import Any

import pytest

from bench.measure import confidence
from bench.redisio.embedded import EmbeddedServer
from bench.workload import until
from tests.integration.conftest import run

pytestmark = pytest.mark.slow

FIELDS: dict[str, Any] = {"rate": 200, "warmup": 0, "workers": 1}


@pytest.fixture(autouse=True)
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at 3 s, 4 s and 6 s, where a user's runs have them at 60 s, 90 s and 135 s; so few
    seconds tell nothing of how separate what happens in them is."""
    monkeypatch.setattr(until, "FIRST_LOOK_S", 3)
    monkeypatch.setattr(confidence, "_FEWEST_IN_SHARE", (0.0, 1.0))
    monkeypatch.setattr(confidence, "_SLOWEST", math.inf)


def test_a_run_that_is_precise_ends_in_order_before_its_duration(embedded: EmbeddedServer) -> None:
    """Constant arrivals have a rate that is known at once."""
    record = run(embedded.url, {**FIELDS, "duration": 60, "until": "enqueue.rate ±50%"})
    found = record.until
    assert found is not None
    assert found.ended_by == "precision"
    assert [(each.window_s, each.is_precise) for each in found.analyses] == [
        (3, True),
        (4, True),
        (6, True),
    ]
    assert 8 <= record.window_s < 40
    assert record.counts.due == pytest.approx(200 * record.window_s, abs=100)
    assert record.counts.completed == record.counts.enqueued == record.counts.due
    assert record.counts.not_sent == 0
    assert record.rates.asked_per_s == 200
    assert record.rates.enqueued_per_s == pytest.approx(200, rel=0.1)
    assert "incomplete" not in record.verdict
    assert record.latency["e2e"]["all"].count == record.counts.completed


def test_a_run_that_is_not_precise_has_its_duration(embedded: EmbeddedServer) -> None:
    record = run(embedded.url, {**FIELDS, "duration": 9, "until": "e2e.p99.9 ±1%"})
    found = record.until
    assert found is not None
    assert found.ended_by == "duration"
    assert [each.is_precise for each in found.analyses] == [False, False, False]
    assert record.window_s >= 9
    assert record.counts.completed == record.counts.due == 1800
