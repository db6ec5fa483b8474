"""``redis-cli-pipe``: mass insertion, all commands in Redis's protocol into ``redis-cli --pipe``.

The text is written beforehand and not timed. It is one batch: that a task has been enqueued is
known when redis-cli says that all have. Its start counts, as it begins to send at once.
"""

import json
import re
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator

from bench.clients import program
from bench.clients.line import Latencies, Line
from bench.clients.program import Order
from bench.clients.redis_cli import process
from bench.wire import resp
from bench.wire.layout import Command


def main() -> None:
    """Enqueue as the order says, and print the line."""
    order = program.read_order()
    with tempfile.TemporaryFile() as text:
        text.write(resp.encode(_commands(order)))
        text.seek(0)
        began_ns = time.monotonic_ns()
        cli = process.start(order.url, ["--pipe"], text)
        said = b"" if cli.stdout is None else cli.stdout.read()
        cpu_s = process.await_end(cli)
        elapsed_ns = time.monotonic_ns() - began_ns
    is_done = re.search(rb"errors: 0, replies: %d\b" % (2 * order.tasks), said)
    if cli.returncode or not is_done:
        sys.exit(f"redis-cli --pipe said: {said.decode(errors='replace').strip()}")
    latencies = Latencies()
    latencies.record(elapsed_ns, order.tasks)
    program.write(
        Line(
            client="redis-cli-pipe",
            tasks=order.tasks,
            elapsed_s=elapsed_ns / 1e9,
            cpu_s=cpu_s,
            latency_us=latencies.pairs(),
        )
    )


def _commands(order: Order) -> Iterator[Command]:
    for number in range(order.tasks):
        task_id = str(uuid.uuid4())
        payload = json.dumps(program.payload(number))
        fields = ("type", "task", "payload", payload, "retry", "0", "max_retry", "3")
        yield ("HSET", f"asynq:t:{task_id}", *fields, "queue", order.queue)
        yield ("LPUSH", f"asynq:{order.queue}:pending", task_id)


if __name__ == "__main__":
    main()
