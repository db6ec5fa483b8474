"""``bench verify``: checks whether a server's queues follow their layout. It only reads."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from bench.cli.arguments import WHOLE, read_flag, require_within
from bench.cli.options import ServerFlags, layout_named
from bench.errors import UsageError
from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.names import require_queue_name
from bench.records import formats
from bench.redisio.connection import open_client, translated_errors
from bench.reports.verify import print_verification
from bench.verify import verify as checker
from bench.verify.verify import VerifyRequest

_DEFAULT_SAMPLE = 1000
_LARGEST_SAMPLE = 100_000


def verify(
    *,
    layout: Annotated[
        str,
        Parameter(metavar="|".join(registry.names()), help="Layout to check the queues against."),
    ] = registry.default.name,
    queues: Annotated[
        str | None,
        Parameter(
            metavar="QUEUE,…",
            help="Queues to check; by default all that are found. "
            "Example: inference_high,inference_low",
        ),
    ] = None,
    sample: Annotated[
        int,
        WHOLE,
        Parameter(help="Largest number of ids to check in each list or set. Example: 10,000"),
    ] = _DEFAULT_SAMPLE,
    where: ServerFlags | None = None,
    json: Annotated[bool, Parameter(help="Print the result as JSON.")] = False,
) -> int:
    """Check whether a server's queues follow their layout.

    Checks a sample of each queue's tasks and only reads. Exits 4 when an error was found.
    """
    entry = layout_named(layout)
    require_within("--sample", sample, 1, _LARGEST_SAMPLE)
    names = names_of(queues, entry)
    url = (where or ServerFlags()).require_url()
    with open_client(url) as client, translated_errors(url):
        answer = checker.verify(client, VerifyRequest(url, layout, names, sample))
    if json:
        sys.stdout.write(formats.encode(answer).decode())
    else:
        print_verification(answer)
    return answer.exit_code


def names_of(queues: str | None, entry: LayoutEntry) -> Sequence[str]:
    """Returns the names in ``a,b``, each once. Raises UsageError for an invalid name."""
    if queues is None:
        return []
    names = [part.strip() for part in queues.split(",")]
    for name in names:
        if entry.layout.has_hash_tags and ("{" in name or "}" in name):
            raise UsageError(
                f"--queues: the layout adds the braces of {name!r}; use {name.strip('{}')!r}"
            )
        read_flag("--queues", require_queue_name, name)
    return list(dict.fromkeys(names))
