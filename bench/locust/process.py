"""``bench.locust.process``: Locust, for a run that ``bench run --distributed`` has described.

Its options are those of its command line alone: neither files in the working folder or in the
user's home nor variables change what the run is.
"""

from typing import Any

import locust.argument_parser
import locust.main

_parsers: Any = locust.argument_parser
_main: Any = locust.main


class _CommandLineParser(_parsers.LocustArgumentParser):  # type: ignore[misc]
    """Locust's parser, which reads no file by itself."""

    def __init__(self, **arguments: object) -> None:
        super().__init__(**{**arguments, "default_config_files": []})


if __name__ == "__main__":
    _parsers.LocustArgumentParser = _CommandLineParser
    _main.main()
