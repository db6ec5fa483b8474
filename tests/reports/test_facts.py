"""The facts about a run's scenario on its page."""

from bench.reports.html.facts import of_scenario
from bench.workload.resolve import resolve

FIELDS = {"queues": {"a_b": 1}, "rate": "10/s", "duration": "60s"}


def test_values_with_a_structure_read_as_users_write_them() -> None:
    written = {
        "network": "1ms±0.2ms 1MB/s",
        "ack": "wait:1,100ms",
        "faults": ["12s stall server 3s", "20s kill worker 1"],
    }
    found = dict(of_scenario(resolve({**FIELDS, **written})))
    assert found["network"] == written["network"]
    assert found["ack"] == written["ack"]
    assert found["faults"] == "12s stall server 3s; 20s kill worker 1"
