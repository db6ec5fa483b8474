"""What an error reply of the server means for the command that it answers.

A server refuses a command before it does anything: what is refused may be sent again. The layouts'
scripts write first what needs memory, so the same holds for a script that is refused.
"""

import re
from enum import Enum, auto


class Refusal(Enum):
    """What to do about a command that the server refused."""

    LATER = auto()
    """Send it again a little later: the server is busy, loads its data, is a read-only replica for
    now, has no memory left, or is otherwise in a state that passes."""
    SCRIPT_UNKNOWN = auto()
    """Load the scripts again, then send it again: the server has forgotten them."""
    COMMAND_UNKNOWN = auto()
    """Do it with other commands: this server does not know the command, or not in this form."""
    KEY = auto()
    """Go on without what this command was about: a key does not hold what it should."""
    FORBIDDEN = auto()
    """Give up: the server will never carry it out for this user, or not at this address."""


_LATER = frozenset(
    (
        *("BUSY", "LOADING", "MASTERDOWN", "READONLY", "OOM", "MISCONF", "NOREPLICAS"),
        *("CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED", "NOMASTERLINK", "FAILOVER"),
    )
)
_ELSEWHERE = frozenset(
    ("READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "UNBLOCKED", "NOMASTERLINK")
)
"""With these, a server says that it is not the one to ask at the moment."""
_FORBIDDEN = frozenset(
    ("NOPERM", "NOAUTH", "WRONGPASS", "MOVED", "ASK", "CROSSSLOT", "NOPROTO", "DENIED")
)
_UNKNOWN = re.compile(
    r"unknown command|wrong number of arguments|unknown subcommand", re.IGNORECASE
)
_CODE = re.compile(r"-?([A-Z]+)\b")
_CODE_IN_SCRIPT = re.compile(r"(?:^|[\s-])([A-Z]{3,})\b")


def code_of(message: str) -> str:
    """Returns the code with which an error begins, such as ``OOM``; ``ERR`` if it has none.

    Servers before Redis 7 report an error within a script as ``ERR`` and put its own code inside.
    """
    begins = _CODE.match(message)
    code = begins[1] if begins else "ERR"
    if code == "ERR" and "script" in message:
        for found in _CODE_IN_SCRIPT.findall(message):
            if found in _LATER or found in _FORBIDDEN or found == "WRONGTYPE":
                return str(found)
    return code


def refusal_of(message: str) -> Refusal:
    """Returns what an error reply, without its leading minus sign, means for its command."""
    code = code_of(message)
    if code in _LATER:
        return Refusal.LATER
    if code == "NOSCRIPT":
        return Refusal.SCRIPT_UNKNOWN
    if code in _FORBIDDEN:
        return Refusal.FORBIDDEN
    if code == "ERR" and _UNKNOWN.search(message):
        return Refusal.COMMAND_UNKNOWN
    return Refusal.KEY


def is_of_another_server(message: str) -> bool:
    """Whether an error reply says that the server cannot be written to in its present state, so
    that a new connection may lead to one that can: after a failover, or when a name has changed its
    address."""
    return code_of(message) in _ELSEWHERE
