"""A server that is restarted in the middle of a run: no figure goes back with its counters."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from bench.records import run_record
from bench.records.run_record import RunRecord
from tests.integration.conftest import run
from tests.redisio.private_server import PrivateServer, private_server

pytestmark = pytest.mark.slow


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    """All numbers in a record, by their paths."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _numbers(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each, path)
    elif isinstance(value, int | float):
        yield path, value


def _restarted_once_served(server: PrivateServer, fields: dict[str, object]) -> RunRecord:
    """A run on a server that is stopped, and started again, once tasks have been served."""

    def restart() -> None:
        deadline_s = time.monotonic() + 30
        with server.client() as client:
            while client.info("commandstats").get("cmdstat_lrem", {}).get("calls", 0) < 100:
                assert time.monotonic() < deadline_s
        server.stop()
        server.start()

    other = threading.Thread(target=restart)
    other.start()
    try:
        return run(server.url, fields, owns_server=False)
    finally:
        other.join()


def test_no_figure_of_a_run_is_negative_after_its_server_was_restarted(tmp_path: Path) -> None:
    fields: dict[str, object] = {"rate": 300, "duration": 4, "drain_timeout": 1}
    with private_server(tmp_path) as server:
        with server.client() as client:  # so that all counters begin far above those of a new one
            for _ in range(3_000):
                client.set("busy", "x" * 1000)
            client.delete("busy")
        record = _restarted_once_served(server, fields)
    assert record.verdict == "incomplete"
    reasons = {warning.code: warning.message for warning in record.warnings}
    assert "was restarted" in reasons["server_lost_data"]
    assert "it was restarted" in reasons["costs_unknown"]
    costs = msgspec.to_builtins(record.resources)
    assert [each for name, each in costs.items() if name.endswith("_per_task")] == [None] * 4
    written = msgspec.json.decode(run_record.encode(record))
    parts = {name: written[name] for name in ("resources", "rates", "series", "counts", "queues")}
    negative = [(path, value) for path, value in _numbers(parts) if value < 0]
    # The parts of the machine are not read in the same instant.
    assert [path for path, value in negative if not ("other" in path or "series" in path)] == []
    columns = record.series.columns
    for name in ("server_cpu_cores", "server_memory_bytes", "backlog:inference_default"):
        values = [row[columns.index(name)] for row in record.series.rows]
        assert [each for each in values if each is not None and each < 0] == []
        assert any(each is not None for each in values)
