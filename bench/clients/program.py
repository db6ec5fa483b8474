"""What the clients' programs in Python share: their arguments, their loop and their result line.

The Redis URL comes in the environment, since other users can read a process's arguments.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.clients.result import ClientResult, LatencyBuckets, encode
from bench.secrets import URL_VARIABLE


@dataclass(frozen=True)
class ProgramArguments:
    """What a program is to enqueue, and where."""

    url: str
    tasks: int
    queue: str
    batch: int
    """Tasks that are sent together; 0 for all."""
    layout: str = ""
    """The layout to write, for the program that can write several."""


def read_arguments() -> ProgramArguments:
    """Read command line and environment. Ends the process when an argument is missing or wrong."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--layout", default="")
    given = parser.parse_args()
    url = os.environ.get(URL_VARIABLE)
    if not url:
        parser.error(f"the server is not named: set {URL_VARIABLE}")
    return ProgramArguments(url, given.tasks, given.queue, given.batch, given.layout)


def payload(number: int) -> dict[str, str]:
    """The payload of task ``number``, counted from 0."""
    return {"input": f"hello {number}"}


def measure(
    client: str, arguments: ProgramArguments, enqueue: Callable[[range], None]
) -> ClientResult:
    """Enqueue all tasks and measure the loop. Each call of ``enqueue`` gets the numbers of a batch.

    The latency of every task of a batch runs from just before the call until it returns.
    """
    latencies = LatencyBuckets()
    began_cpu_s, began_ns = time.process_time(), time.monotonic_ns()
    for start in range(0, arguments.tasks, arguments.batch):
        numbers = range(start, min(start + arguments.batch, arguments.tasks))
        before_ns = time.monotonic_ns()
        enqueue(numbers)
        latencies.record(time.monotonic_ns() - before_ns, len(numbers))
    elapsed_s = (time.monotonic_ns() - began_ns) / 1e9
    return ClientResult(
        client=client,
        tasks=arguments.tasks,
        elapsed_s=elapsed_s,
        cpu_s=time.process_time() - began_cpu_s,
        latency_us=latencies.pairs(),
    )


def write(line: ClientResult) -> None:
    """Print the result line."""
    sys.stdout.buffer.write(encode(line))
    sys.stdout.buffer.flush()
