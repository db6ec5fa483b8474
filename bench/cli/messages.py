"""Messages to the user, apart from what a command prints as its result."""

import sys

from bench.cli import command_line
from bench.errors import MESSAGE_PREFIX
from bench.secrets import hide


def notify(message: str) -> None:
    """Write a line to standard error, behind ``bench: ``, without this invocation's secrets."""
    sys.stderr.write(f"{MESSAGE_PREFIX}{hide(message, command_line.known_secrets())}\n")
