"""Messages to the user, apart from what a command prints as its result."""

import sys

from bench.cli import command_line
from bench.errors import MESSAGE_PREFIX
from bench.inert import visible
from bench.secrets import hide


def notify(message: str) -> None:
    """Write a message to standard error, behind ``bench: ``, without this invocation's secrets.

    Text of others in it is inert; a line break is kept.
    """
    shown = visible(hide(message, command_line.known_secrets()), keep="\n")
    sys.stderr.write(f"{MESSAGE_PREFIX}{shown}\n")
