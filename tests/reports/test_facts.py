"""The facts about a run's scenario on its page."""

from bench.reports.html.facts import of_scenario
from bench.reports.html.provenance import setup_of
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


def test_the_settings_of_a_server_stand_apart_and_under_their_own_names() -> None:
    server = {"product": "valkey", "settings": {"appendonly": "no", "io-threads": "1"}}
    made = setup_of("bench run", server, {})
    assert made.facts == [("Server", [("product", "valkey")])]
    assert list(made.settings) == [("appendonly", "no"), ("io-threads", "1")]
