"""Runs simulations by name and prints their tables, as they stand in the documentation.

    python -m tests.simulations [NAME ...] [--trials 4000]

A name is that of a module of this package with ``table(trials)``; without one, all of them.
"""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence

from tests import simulations


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables."""
    names = [each.name for each in pkgutil.iter_modules(simulations.__path__)]
    known = sorted(set(names) - {"__main__"})
    parser = argparse.ArgumentParser(description="Simulate error rates.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--trials", type=int, default=4000, help="per row; 4000 by default")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    for name in options.names or known:
        made = importlib.import_module(f"tests.simulations.{name}").table(options.trials)
        sys.stdout.write(made + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
