"""Makes ``locust --help`` list the options that locustfiles add.

Locust prints its help before it reads a locustfile, so that no listener of a locustfile has been
registered by then. Before that, it imports the module ``locust_plugins``, if there is one:
``installed/bin/locust_plugins.py``, which is installed beside the command ``locust``.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from locust import argument_parser
from locust.util.load_locustfile import load_locustfile

from bench.errors import MESSAGE_PREFIX
from bench.inert import visible

_HELP = ("-h", "--help")
_OURS = "bench.locust"


def register_options(arguments: Sequence[str]) -> None:
    """Load the locustfiles of a command line that asks for help, if they use this package.

    Says on standard error which cannot be loaded. Files of others, and those that Locust would
    have to fetch, are left alone.
    """
    if not any(each in _HELP for each in arguments):
        return
    for path in _named([each for each in arguments if each not in _HELP]):
        if _OURS in path.read_text(encoding="utf-8", errors="replace"):
            try:
                load_locustfile(str(path.resolve()))
            except Exception as error:  # whatever a locustfile does
                what = visible(f"{type(error).__name__}: {error}")
                sys.stderr.write(
                    f"{MESSAGE_PREFIX}{path}: its options are not listed, as it cannot be loaded: "
                    f"{what}\n"
                )


def _named(arguments: Sequence[str]) -> Iterator[Path]:
    """The locustfiles that these arguments, files of settings or variables name."""
    parser: Any = argument_parser
    options = parser.parse_locustfile_option(list(arguments))
    for name in str(options.locustfile).split(","):
        path = Path(name.strip())
        if path.is_dir():
            yield from sorted(path.rglob("*.py"))
        elif path.is_file() and path.suffix == ".py":
            yield path
