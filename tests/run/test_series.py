"""A run over time: one row a second."""

import pytest

from bench.run.figures.series import series_of
from tests.run.values import (
    QUEUE,
    collected,
    machine,
    producer,
    sample,
    scenario,
    second_latencies,
    worker,
)


def test_a_row_holds_what_happened_in_its_second_and_how_the_server_stood_at_its_start() -> None:
    high, low = "inference_high", "inference_low"
    run = collected(
        scenario(queues={high: 1, low: 1}),
        duration_s=2.5,
        producers=[
            producer(offered_by_bin=[1] * 12, enqueued_by_bin=[2] * 10),
            producer(number=1, offered_by_bin=[1] * 3, enqueued_by_bin=[]),
        ],
        workers=[
            worker(
                started_by_bin=[0] * 9 + [4, 4],
                finished_by_bin=[0] * 20 + [8],
                e2e_by_second=second_latencies({0.5: 1000, 2.2: 64}),
            ),
            worker(
                started_by_bin=[], finished_by_bin=[], e2e_by_second=second_latencies({2.3: 32})
            ),
        ],
        samples=[sample(0.01, (3, 4), 0.5), sample(1.01, (5, 6), 0.75), sample(2.51, (0, 1), 0.9)],
        machine=machine(busy_s=0.8, steal_s=0.1, worker_s=0.2),
    )
    found = series_of(run)
    assert found.interval_s == 1.0
    assert found.columns == [
        *("second", "offered", "enqueued", "started", "finished"),
        *(f"backlog:{high}", f"backlog:{low}", "e2e_p50_s", "e2e_p99_s"),
        *("server_cpu_cores", "server_memory_bytes"),
        *("machine_user_cores", "machine_system_cores"),
        *("machine_steal_cores", "machine_other_cores"),
    ]
    nothing = [None] * 4
    assert [row[:-4] for row in found.rows] == [
        [0, 13, 20, 4, 0, 3, 4, 0.001, 0.001, 0.25, 5_000_000],
        [1, 2, 0, 4, 0, 5, 6, None, None, pytest.approx(0.1), 5_000_000],
        [2, 0, 0, 0, 8, 0, 1, 32e-6, 64e-6, None, 5_000_000],
    ]
    # What the server used is not known here, as it was not looked at in the same moment.
    assert [row[-4:] for row in found.rows] == [
        pytest.approx([0.525, 0.175, 0.1, 0.5]),
        nothing,
        nothing,
    ]


def test_a_second_in_which_the_server_did_not_answer_is_a_gap() -> None:
    run = collected(duration_s=3.0, samples=[sample(0), sample(2, (9,), 1.0)])
    rows = [dict(zip(series_of(run).columns, row, strict=True)) for row in series_of(run).rows]
    assert [row[f"backlog:{QUEUE}"] for row in rows] == [0, None, 9]
    assert [row["server_memory_bytes"] for row in rows] == [5_000_000, None, 5_000_000]
    assert [row["server_cpu_cores"] for row in rows] == [None, None, None]


@pytest.mark.parametrize(("duration_s", "rows"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.01, 2)])
def test_there_is_a_row_for_each_second_that_has_begun(duration_s: float, rows: int) -> None:
    assert len(series_of(collected(duration_s=duration_s)).rows) == rows
