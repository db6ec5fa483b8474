"""Measures the project's own targets and prints them as a table.

    python -m tests.benchmarks [--only NAME ...] [--base REV] [--server-binary redis-server]

Each figure is a median over the repetitions, with its range. ``--base`` measures a base revision
and this tree in turns (A B B A ...) and adds the ratio B/A, the median of the pairs' ratios.
Nothing else should run on the machine meanwhile. ``--list`` shows the names; those marked are left
out unless named, since they take minutes.
"""

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence

from bench.errors import BenchError
from tests.benchmarks import (
    commands,
    duplicate_check,
    monitoring,
    peers,
    producers,
    redis_benchmark,
    runs,
    table,
)
from tests.benchmarks.arms import Tree, base_tree, imported_from, require_own_packages, this_tree
from tests.benchmarks.figures import Measurement

SUBJECTS: Mapping[str, Sequence[Measurement]] = {
    "ceiling": peers.CEILING,
    "layouts": peers.LAYOUTS,
    "duplicates": duplicate_check.DUPLICATES,
    "drain": peers.DRAIN,
    "e2e": runs.E2E,
    "pacing": runs.PACING,
    "latency": runs.LATENCY,
    "worker": runs.WORKER,
    "locust": peers.LOCUST,
    "metrics": monitoring.SCRAPED,
    "startup": commands.STARTUP,
    "producers": producers.SHARED_SCHEDULE,
    "slow-pacing": runs.SLOW_PACING,
    "memory": runs.MEMORY,
    "install": commands.INSTALL,
}
LEFT_OUT = frozenset({"slow-pacing", "memory", "install"})
"""Subjects that take minutes for each repetition."""
_NEED_REDIS_BENCHMARK = frozenset({"ceiling", "drain", "duplicates"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table, row by row as they are measured."""
    options = _parser().parse_args(arguments)
    if options.list:
        print("\n".join(f"{name}{' *' * (name in LEFT_OUT)}" for name in SUBJECTS))
        return 0
    chosen = options.only or [name for name in SUBJECTS if name not in LEFT_OUT]
    try:
        if _NEED_REDIS_BENCHMARK & set(chosen) and not redis_benchmark.is_installed():
            raise BenchError("redis-benchmark is missing: install redis-tools")
        _measure(options, chosen)
    except BenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the project's own targets.")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(SUBJECTS))
    parser.add_argument("--list", action="store_true", help="show the names and end")
    parser.add_argument("--base", metavar="REV", help="a revision to compare this tree with")
    parser.add_argument(
        "--base-python",
        default=sys.executable,
        help="interpreter with the base's libraries, where they are not this one's",
    )
    parser.add_argument("--server-binary")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, or pairs with --base")
    return parser


def _measure(options: argparse.Namespace, chosen: Sequence[str]) -> None:
    binary = options.server_binary
    with contextlib.ExitStack() as stack:
        trees = [this_tree(binary)]
        if options.base:
            base = base_tree(options.base, binary, options.base_python)
            trees.insert(0, stack.enter_context(base))
        found = [(tree, imported_from(tree)) for tree in trees]
        require_own_packages(found)
        for tree, package in found:
            print(f"{tree.label}: {package}", file=sys.stderr)
        print(table.header(binary or "embedded server", options.base))
        _print_rows({tree.label: tree for tree in trees}, chosen, options.repeat)


def _print_rows(trees: Mapping[str, Tree], chosen: Sequence[str], repeat: int) -> None:
    for name in chosen:
        for measurement in SUBJECTS[name]:
            for cells in measurement.rows(trees, repeat):
                print(table.line(cells), flush=True)


if __name__ == "__main__":
    sys.exit(main())
