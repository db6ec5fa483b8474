"""The two times that a task's payload carries.

A payload is a JSON object that begins with the time when the task was due and the time when it was
sent, in microseconds on the run's clock (see ``bench.clock``). Both have sixteen digits, which is
true from 2001 to 2286, so they stand at fixed offsets and need no JSON parser.
"""

DIGITS = 16
MIN_US = 10 ** (DIGITS - 1)
MAX_US = 10**DIGITS - 1

_DUE_NAME = b'{"due_us":'
_SENT_NAME = b',"sent_us":'

DUE_START = len(_DUE_NAME)
SENT_START = DUE_START + DIGITS + len(_SENT_NAME)
HEAD_LENGTH = SENT_START + DIGITS
"""Bytes of a payload before its body, which starts with ``,`` or white space, or is ``}``."""

RESERVED_NAMES = ("due_us", "sent_us")


def head(due_us: int, sent_us: int) -> bytes:
    """Returns the beginning of a payload.

    Raises ValueError if a stamp does not have sixteen digits.
    """
    require_digits(due_us)
    require_digits(sent_us)
    return b"%b%d%b%d" % (_DUE_NAME, due_us, _SENT_NAME, sent_us)


def require_digits(stamp_us: int) -> None:
    """Raises ValueError if a stamp does not have sixteen digits."""
    if not MIN_US <= stamp_us <= MAX_US:
        raise ValueError(f"stamp {stamp_us} does not have {DIGITS} digits: is the clock set?")


def read(payload: bytes) -> tuple[int, int] | None:
    """Returns (due, sent) in microseconds, or None if the payload does not begin with stamps."""
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
