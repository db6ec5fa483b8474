"""``python -m bench``, and the console script."""

import os
import sys

from bench.usage import SINGLE_THREADED


def main() -> int:
    """Run the command line."""
    for name, threads in SINGLE_THREADED.items():
        os.environ.setdefault(name, threads)  # before numpy is imported
    from bench.cli.app import main as run_cli  # noqa: PLC0415 - so that children start lean

    return run_cli()


if __name__ == "__main__":
    sys.exit(main())
