"""What a round trip costs: enqueueing one by one follows it, and batches hide it."""

from typing import Any

import pytest

from bench.records.run_record import RunRecord
from bench.redisio.embedded import EmbeddedServer
from tests.integration.conftest import run

pytestmark = pytest.mark.slow

ROUND_TRIP_S = 0.020
ATTEMPTS = 5
ONE_BY_ONE = {"pipeline": 1, "in_flight": 1}


def closed_loop(server: EmbeddedServer, **fields: Any) -> RunRecord:
    """A closed loop of one second through a network with a long round trip."""
    common = {"rate": "max", "duration": "1s", "warmup": "0s", "workers": 0}
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
    """To 10%, and never more: a busy machine makes it less, so the best of some runs counts."""
    most_per_s = 1 / (round_trips * ROUND_TRIP_S)
    best_per_s = 0.0
    for _ in range(ATTEMPTS):
        record = closed_loop(embedded, **fields)
        best_per_s = max(best_per_s, record.rates.enqueued_per_s or 0.0)
        if best_per_s >= 0.9 * most_per_s:
            break
    assert 0.9 * most_per_s <= best_per_s <= 1.05 * most_per_s


def test_batches_hide_the_round_trip(embedded: EmbeddedServer) -> None:
    record = closed_loop(embedded, pipeline=64, in_flight=4)
    assert (record.rates.enqueued_per_s or 0.0) > 20 / ROUND_TRIP_S
    assert record.counts.lost == 0
