"""The longest wait of any task for a worker."""

import msgspec

from bench.analysis.starvation import Starvation, starvation
from bench.records.run_record import LatencySummary, RunRecord
from tests.records.fixtures import LOW, example_record


def unserved() -> RunRecord:
    record = example_record()
    waits = dict.fromkeys(record.latency["queue_wait"], LatencySummary(count=0))
    return msgspec.structs.replace(record, latency={**record.latency, "queue_wait": waits})


def test_the_longest_wait_is_named_with_its_sub_queue() -> None:
    waits = example_record().latency["queue_wait"]
    assert starvation(example_record()) == Starvation(LOW, waits[LOW].max_s or 0.0)


def test_where_nobody_serves_nobody_starves() -> None:
    assert starvation(unserved()) is None
