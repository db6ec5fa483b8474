"""How a case ended, and whether that is acceptable: the one oracle of all cases."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from bench.errors import MESSAGE_PREFIX, ExitCode
from tests.fuzz.cases import CANARY, Case

_MOST_S = 10.0
_ANSWER_S = 2.5
"""Added where a server may be silent: a command waits ten seconds for it, and has more to do."""
MOST_BYTES = 500_000_000
How = Literal["ended", "measuring", "raised", "hung", "died"]
_COMPARING = ("compare", "ab")
_TEXT = frozenset("\n\t")
_TRACEBACK = "Traceback (most recent call last)"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_UNEXPECTED = re.compile(
    r"unexpected error|internal error|not foreseen|please report", re.IGNORECASE
)
"""What the last resort for an exception that nobody foresaw says."""
_EXCEPTION = re.compile(r"\b(?:[a-z_]+\.)*[A-Z][A-Za-z]*(?:Error|Exception|InvalidResponse)\b:? ")
"""An exception of Python's, which tells a user nothing."""
_FOLLOWS = ("    ", "serving ", "removed ")
"""How lines of standard error begin that do not stand behind the prefix."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How one case ended. ``how`` is ``measuring`` where everything was checked and measuring would
    have begun, ``hung`` where it was ended after its time, ``died`` where its process did."""

    how: How
    code: int | None = None
    out: str = ""
    err: str = ""
    seconds: float = 0.0
    """How long it took, without the time for which it had no core."""
    peak_bytes: int = 0
    written: dict[str, bytes] = field(default_factory=dict)
    """Files that the command left in its folder."""


def most_s(case: Case) -> float:
    """How long a case may take."""
    return _MOST_S if case.server is None else _MOST_S + _ANSWER_S


def faults(case: Case, ending: Ending) -> list[str]:
    """What is not acceptable about an ending, each in a few words; nothing if all is well."""
    found = [*_of_process(ending, most_s(case)), *_of_texts(case, ending)]
    if ending.how == "ended":
        found += _of_code(case, ending)
    if ending.how == "measuring" and case.codes and ExitCode.PASSED not in case.codes:
        found.append(f"taken, and not refused with {' or '.join(map(str, case.codes))}")
    return found


def _of_process(ending: Ending, limit_s: float) -> list[str]:
    found = []
    if ending.how == "raised":
        found.append(f"raised: {_last_line(ending.err)}")
    elif ending.how == "hung":
        found.append(f"hung: no end after {limit_s:g} s")
    elif ending.how == "died":
        found.append(f"died: the process is gone, with {ending.code}")
    elif ending.seconds > limit_s:
        found.append(f"slow: {ending.seconds:.1f} s")
    if ending.peak_bytes > MOST_BYTES:
        found.append(f"memory: {ending.peak_bytes >> 20} MiB")
    return found


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _of_texts(case: Case, ending: Ending) -> list[str]:
    found = []
    has_colour = bool(case.variables.get("FORCE_COLOR"))
    if ending.how != "raised" and _TRACEBACK in ending.err + ending.out:
        found.append(f"traceback: {_last_line(ending.err)}")
    for name, text in (("output", ending.out), ("error output", ending.err)):
        plain = _COLOUR.sub("", text) if has_colour else text
        active = sorted({each for each in plain if _is_active(each)})
        if active and ending.how != "raised":
            found.append(f"active characters in {name}: {''.join(active)!a}")
    secret = CANARY.encode()
    places = {"output": ending.out.encode(), "error output": ending.err.encode(), **ending.written}
    found += [f"secret in {name}" for name, text in places.items() if secret in text]
    return found


def _is_active(character: str) -> bool:
    """Whether a terminal acts on a character: control characters and changes of direction."""
    if character in _TEXT:
        return False
    return (
        unicodedata.category(character) == "Cc"
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    )


def _of_code(case: Case, ending: Ending) -> list[str]:
    code, command = ending.code, (*case.arguments, "")[0]
    if code not in set(ExitCode):
        return [f"exit code {code} is not documented"]
    found = []
    if case.codes and code not in case.codes:
        found.append(f"exit code {code}, and not {' or '.join(map(str, case.codes))}")
    if code == ExitCode.REGRESSION and (command not in _COMPARING or not ending.out):
        found.append("exit code 1 without a regression")
    is_silent = not (ending.out or ending.err or ending.written)
    if code == ExitCode.PASSED and is_silent and "--quiet" not in case.arguments:
        found.append("exit code 0 without a result")
    # A run whose keys could not all be removed has a report, which says so.
    has_report = code == ExitCode.UNREACHABLE and command == "run" and ending.out != ""
    if code in (ExitCode.USAGE, ExitCode.UNREACHABLE) and not has_report:
        found += _of_refusal(ending)
    is_quiet = "--quiet" in case.arguments and code == ExitCode.INCONCLUSIVE
    if code != ExitCode.PASSED and not (ending.out or ending.err or is_quiet):
        found.append(f"exit code {code} without a word")
    if _UNEXPECTED.search(ending.err) or _EXCEPTION.search(ending.err):
        found.append(f"not foreseen: {_last_line(ending.err)}")
    return found


def _of_refusal(ending: Ending) -> list[str]:
    """A refusal is one line that says ``bench: `` first; others may stand before it."""
    lines = ending.err.splitlines()
    found = []
    if not lines or not lines[-1].startswith(MESSAGE_PREFIX):
        return [f"a refusal whose last line is {_last_line(ending.err)!r}"]
    others = [
        line for line in lines if not line.startswith((MESSAGE_PREFIX, *_FOLLOWS)) and line.strip()
    ]
    if others:
        found.append(f"a refusal of several lines: {others[0]!r}")
    if not lines[-1].removeprefix(MESSAGE_PREFIX).strip():
        found.append("a refusal without a reason")
    return found
