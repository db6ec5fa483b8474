"""The two moments that travel inside a task's payload.

A payload is a JSON object that begins with when the task was due and when it was sent, in
microseconds on the run's clock (see ``bench.clock``). Both have sixteen digits, which holds from
2001 to 2286, so they sit at fixed places and are written and read without a JSON parser.
"""

DIGITS = 16
MIN_US = 10 ** (DIGITS - 1)
MAX_US = 10**DIGITS - 1

_DUE_NAME = b'{"due_us":'
_SENT_NAME = b',"sent_us":'

DUE_START = len(_DUE_NAME)
SENT_START = DUE_START + DIGITS + len(_SENT_NAME)
HEAD_LENGTH = SENT_START + DIGITS
"""Bytes of a payload up to its body: the body starts with ``,`` or white space, or is ``}``."""

RESERVED_NAMES = ("due_us", "sent_us")


def head(due_us: int, sent_us: int) -> bytes:
    """The beginning of a payload. Raises ValueError when a stamp has not sixteen digits."""
    for stamp in (due_us, sent_us):
        if not MIN_US <= stamp <= MAX_US:
            raise ValueError(f"stamp {stamp} has not {DIGITS} digits: is the clock set?")
    return b"%b%d%b%d" % (_DUE_NAME, due_us, _SENT_NAME, sent_us)


def read(payload: bytes) -> tuple[int, int] | None:
    """(due, sent) in microseconds, or None when the payload does not begin as ours do."""
    due = payload[DUE_START : DUE_START + DIGITS]
    sent = payload[SENT_START:HEAD_LENGTH]
    is_ours = (
        payload.startswith(_DUE_NAME)
        and payload[DUE_START + DIGITS : SENT_START] == _SENT_NAME
        and len(sent) == DIGITS
        and due.isdigit()
        and sent.isdigit()
        and not payload[HEAD_LENGTH : HEAD_LENGTH + 1].isdigit()
    )
    return (int(due), int(sent)) if is_ours else None
