"""A private server for each test module, and the means to run scenarios on it."""

import contextlib
import threading
from collections.abc import Callable, Iterator

from bench.records.run_record import RunRecord
from bench.run.request import RunRequest
from bench.run.run import execute
from bench.worker import standalone
from bench.worker.process import settings_of
from bench.worker.stop_requests import StopRequests
from bench.workload.resolve import parent_queue, resolve
from tests.seconds import in_seconds

QUEUE = "inference_default"


def run(
    url: str,
    fields: dict[str, object],
    *,
    owns_server: bool = True,
    should_stop: Callable[[], bool] = lambda: False,
) -> RunRecord:
    """Run a scenario of these fields on top of a small default."""
    scenario = resolve(
        {"queues": {QUEUE: 1}, "warmup": 0, "drain_timeout": "10s", **in_seconds(fields)}
    )
    request = RunRequest(url, scenario, "a test", owns_server=owns_server)
    return execute(request, lambda _: None, should_stop)


@contextlib.contextmanager
def worker_thread(url: str, fields: dict[str, object]) -> Iterator[None]:
    """A stand-alone worker in this process, which serves until the block ends."""
    requests = StopRequests()
    scenario = resolve({"queues": {QUEUE: 1}, "rate": "max", "tasks": 1, **in_seconds(fields)})

    def serve() -> None:
        parent = parent_queue(scenario)
        standalone.serve(url, parent, settings_of(scenario), requests)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        requests.add()
        thread.join()
        requests.close()
