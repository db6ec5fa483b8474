"""Sub-queues out of the order of their priority, and the longest wait."""

import msgspec

from bench.analysis.priorities import Inversion, Starvation, inversions, starvation
from bench.records.run_record import LatencySummary, RunRecord
from tests.records.fixtures import DEFAULT, HIGH, LOW, example_record

changed = msgspec.structs.replace


def swapped() -> RunRecord:
    """The highest and the lowest priority have changed places in the queue."""
    record = example_record()
    waits = record.latency["queue_wait"]
    return changed(
        record,
        latency={**record.latency, "queue_wait": {**waits, HIGH: waits[LOW], LOW: waits[HIGH]}},
    )


def unserved() -> RunRecord:
    record = example_record()
    waits = dict.fromkeys(record.latency["queue_wait"], LatencySummary(count=0))
    return changed(record, latency={**record.latency, "queue_wait": waits})


def test_priorities_in_their_order_have_no_inversion() -> None:
    assert inversions(example_record()) == []
    waits = example_record().latency["queue_wait"]
    assert starvation(example_record()) == Starvation(LOW, waits[LOW].max_s or 0.0)


def test_every_inversion_is_found_with_both_waits() -> None:
    waits = example_record().latency["queue_wait"]
    high, middle, low = (waits[queue] for queue in (LOW, DEFAULT, HIGH))
    expected = [
        Inversion(statistic, first, getattr(a, field), later, getattr(b, field))
        for statistic, field in (("p50", "p50_s"), ("p99", "p99_s"))
        for (first, a), (later, b) in (
            ((HIGH, high), (DEFAULT, middle)),
            ((HIGH, high), (LOW, low)),
            ((DEFAULT, middle), (LOW, low)),
        )
    ]
    assert inversions(swapped()) == expected


def test_where_nobody_serves_nobody_starves() -> None:
    assert inversions(unserved()) == []
    assert starvation(unserved()) is None
