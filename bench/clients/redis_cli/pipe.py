"""``redis-cli-pipe``: mass insertion, with all commands in Redis's protocol in one input.

The input is written beforehand and not timed. It is one batch: redis-cli says only when all tasks
have been enqueued. The start of redis-cli counts, since it begins to send at once.
"""

import json
import re
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator

from bench.clients import program
from bench.clients.program import ProgramArguments
from bench.clients.redis_cli import process
from bench.clients.result import ClientResult, LatencyBuckets
from bench.wire import resp
from bench.wire.layout_contract import Command


def main() -> None:
    """Enqueue as the arguments say, and print the result line."""
    arguments = program.read_arguments()
    with tempfile.TemporaryFile() as text:
        text.write(resp.encode(_commands(arguments)))
        text.seek(0)
        began_ns = time.monotonic_ns()
        cli = process.start(arguments.url, ["--pipe"], text)
        output = b"" if cli.stdout is None else cli.stdout.read()
        cpu_s = process.await_end(cli)
        elapsed_ns = time.monotonic_ns() - began_ns
    is_done = re.search(rb"errors: 0, replies: %d\b" % (2 * arguments.tasks), output)
    if cli.returncode or not is_done:
        sys.exit(f"redis-cli --pipe failed: {output.decode(errors='replace').strip()}")
    latencies = LatencyBuckets()
    latencies.record(elapsed_ns, arguments.tasks)
    program.write(
        ClientResult(
            client="redis-cli-pipe",
            tasks=arguments.tasks,
            elapsed_s=elapsed_ns / 1e9,
            cpu_s=cpu_s,
            latency_us=latencies.pairs(),
        )
    )


def _commands(arguments: ProgramArguments) -> Iterator[Command]:
    for number in range(arguments.tasks):
        task_id = str(uuid.uuid4())
        payload = json.dumps(program.payload(number))
        fields = ("type", "task", "payload", payload, "retry", "0", "max_retry", "3")
        yield ("HSET", f"asynq:t:{task_id}", *fields, "queue", arguments.queue)
        yield ("LPUSH", f"asynq:{arguments.queue}:pending", task_id)


if __name__ == "__main__":
    main()
