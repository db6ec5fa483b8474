"""``python -m bench``, and the console script."""

import sys


def main() -> int:
    """Run the command line."""
    from bench.cli.app import main as run_cli  # noqa: PLC0415 - so that children start lean

    return run_cli()


if __name__ == "__main__":
    sys.exit(main())
