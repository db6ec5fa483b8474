"""What a round trip costs: enqueueing one by one follows it, and batches hide it."""

from typing import Any

import pytest

from bench.records.run_record import RunRecord
from bench.redisio.embedded import EmbeddedServer
from tests.integration.conftest import run

pytestmark = pytest.mark.slow

ROUND_TRIP_S = 0.020
ONE_BY_ONE = {"pipeline": 1, "in_flight": 1}


def closed_loop(server: EmbeddedServer, **fields: Any) -> RunRecord:
    """A closed loop of two seconds through a network with a long round trip."""
    common = {"rate": "max", "duration": "2s", "warmup": "0s", "workers": 0}
    return run(server.url, {**common, "network": "20ms", **fields}, owns_server=False)


@pytest.mark.parametrize(
    ("fields", "round_trips"),
    [
        (ONE_BY_ONE, 1),
        ({"producer": "redis-py", "pipeline": 1}, 1),
        ({"producer": "snippet"}, 2),
    ],
)
def test_the_rate_of_one_producer_that_waits_for_each_reply_is_that_of_round_trips(
    embedded: EmbeddedServer, fields: dict[str, object], round_trips: int
) -> None:
    """Each task takes what the round trips take, and the next one waits for it. A busy machine
    makes some of them longer: to 10% it is the quickest that takes no longer."""
    asked_s = round_trips * ROUND_TRIP_S
    record = closed_loop(embedded, **fields)
    enqueue, rate_per_s = record.latency["enqueue"]["all"], record.rates.enqueued_per_s
    assert enqueue.min_s is not None
    assert enqueue.mean_s is not None
    assert rate_per_s is not None
    assert 0.95 * asked_s <= enqueue.min_s <= 1.1 * asked_s
    assert rate_per_s <= 1.05 / asked_s
    assert rate_per_s == pytest.approx(1 / enqueue.mean_s, rel=0.1)


def test_batches_hide_the_round_trip(embedded: EmbeddedServer) -> None:
    record = closed_loop(embedded, pipeline=64, in_flight=4)
    assert (record.rates.enqueued_per_s or 0.0) > 20 / ROUND_TRIP_S
    assert record.counts.lost == 0
