"""The grammar of faults: ``12s stall server 3s``, ``random 10s..50s x20 kill worker any``.

    plan    = fault { ( "," | ";" ) fault }
    fault   = when what [ [ "for" ] duration ]
    when    = moment | moment ".." moment
            | moment [ ".." moment ] "every" duration [ "x" times ]
            | "random" moment ".." moment [ "x" times ]
    what    = "stall" ( "server" | worker ) | "pause clients"
            | "kill" [ "-" signal ] ( worker | "server" ) | "start worker" [ number | "all" ]
            | "restart server" [ "empty" ] | "failover" | "reset connections" [ share ]
            | "network" network | "fill memory"
    worker  = "worker" ( number | "all" | "any" )

Moments are on the run's clock, from its start. ``bench.workload.fault_actions`` reads what is done.
"""

import re
from collections.abc import Callable

import msgspec

from bench.errors import UsageError, nearest, quoted
from bench.workload.fault_actions import (
    LASTING,
    WITH_DURATION,
    action_text,
    parse_action,
)
from bench.workload.faults import FaultKind, PlannedFault
from bench.workload.network_text import seconds_of, short_duration
from bench.workload.quantities import read_duration

MOST_FAULTS = 1000
"""The most faults of a plan, each of which has a row in the record and in reports."""

_MOMENT = re.compile(r"[0-9.]+\S*")
_TIMES = re.compile(r"[x×]\s?([0-9]{1,9})")
_EXAMPLE = "write for example 12s stall server 3s"


class _When(msgspec.Struct, frozen=True, kw_only=True):
    at_s: float
    end_s: float | None = None
    every_s: float | None = None
    times: int | None = None
    is_drawn: bool = False


def parse_faults(text: str) -> tuple[PlannedFault, ...]:
    """Reads faults that commas or semicolons separate. Raises UsageError, beginning with the fault
    that cannot be read."""
    return tuple(parse_fault(each) for each in re.split(r"[,;\n]", text) if each.strip())


def parse_fault(text: str) -> PlannedFault:
    """Reads one fault. Raises UsageError, beginning with it, that says what cannot be read."""
    written = " ".join(text.split())
    try:
        when, rest = _split_when(_Words(written))
        return _planned(when, *parse_action(rest))
    except UsageError as error:
        raise UsageError(f"{quoted(written)}: {error}") from None


def fault_of(at: str, do: str, lasts: str | None) -> PlannedFault:
    """Reads one fault from the fields of a table. Raises UsageError, beginning with ``do``."""
    try:
        when, rest = _split_when(_Words(at))
        if rest:
            raise UsageError(f"at: {quoted(rest)} is no part of a moment: write it into do")
        planned, lasts_s = parse_action(" ".join(do.split()))
        if lasts is None:
            return _planned(when, planned, lasts_s)
        if lasts_s is not None:
            raise UsageError("lasts: do says already how long; remove one of the two")
        return _planned(when, planned, _positive(lasts))
    except UsageError as error:
        raise UsageError(f"{quoted(do)}: {error}") from None


class _Words:
    """The words of a fault, from the first."""

    def __init__(self, text: str) -> None:
        self._rest = re.sub(r"\s*\.\.\s*", "..", " ".join(text.split()))

    @property
    def rest(self) -> str:
        """What is left of the text."""
        return self._rest

    def next_if(self, matches: Callable[[str], object]) -> str | None:
        """Returns the next word and goes on, where it matches; else None."""
        word, _, rest = self._rest.partition(" ")
        if not word or not matches(word):
            return None
        self._rest = rest
        return word


def _split_when(words: _Words) -> tuple[_When, str]:
    """Returns when it happens, and what is written after that. Raises UsageError."""
    is_drawn = words.next_if(lambda word: word == "random") is not None
    moment = words.next_if(_MOMENT.match)
    if moment is None:
        first = words.rest.partition(" ")[0]
        hint = nearest(first, ["random"], 0.7)
        if hint:
            raise UsageError(f"{quoted(first)} is no moment{hint}")
        raise UsageError(f"it does not say when: {_EXAMPLE}")
    start, dots, end = moment.partition("..")
    every_s = None
    if words.next_if(lambda word: word == "every"):
        interval = words.next_if(_MOMENT.match)
        if interval is None:
            raise UsageError("every needs a duration: write for example 10s every 5s stall server")
        every_s = _positive(interval)
    times = words.next_if(_TIMES.fullmatch)
    when = _When(
        at_s=seconds_of(start),
        end_s=seconds_of(end) if dots else None,
        every_s=every_s,
        times=None if times is None else _count(times),
        is_drawn=is_drawn,
    )
    _require_possible(when)
    return when, words.rest


def _count(text: str) -> int:
    match = _TIMES.fullmatch(text)
    times = int(match[1]) if match else 0
    if not 1 <= times <= MOST_FAULTS:
        raise UsageError(f"{text} is out of range: it must be from x1 to x{MOST_FAULTS}")
    return times


def _require_possible(when: _When) -> None:
    if when.end_s is not None and when.end_s <= when.at_s:
        raise UsageError("its end is not after its begin: write the earlier moment first")
    if when.is_drawn and when.end_s is None:
        raise UsageError("random needs two moments: write for example random 10s..50s x20")
    if when.is_drawn and when.every_s is not None:
        raise UsageError("its moments are either random or every so often; remove one of the two")
    if when.times is not None and not when.is_drawn and when.every_s is None:
        raise UsageError(
            f"x{when.times} needs to know when: write 10s every 5s x{when.times}, or random "
            f"10s..50s x{when.times} for moments that the seed draws"
        )


def _positive(text: str) -> float:
    seconds = round(read_duration(text), 6)
    if not seconds:
        raise UsageError("it must be longer than zero")
    return seconds


def _planned(when: _When, planned: PlannedFault, lasts_s: float | None) -> PlannedFault:
    """The fault at its moments. Raises UsageError where these do not fit to what is done."""
    kind = planned.fault.kind
    if when.end_s is not None and not when.is_drawn:
        if kind not in LASTING:
            raise UsageError(
                f"{kind} is over at once and takes one moment; for one that the seed draws write "
                f"random {short_duration(when.at_s)}..{short_duration(when.end_s)}"
            )
        if lasts_s is not None:
            raise UsageError("it says twice how long: remove the end of the period, or the length")
        lasts_s = round(when.end_s - when.at_s, 6)
    if kind not in LASTING and lasts_s is not None:
        raise UsageError(f"{kind} is over at once: remove {short_duration(lasts_s)}")
    if kind in LASTING and lasts_s is None and kind != FaultKind.FILL:
        raise UsageError(f"it does not say how long: add for 3s, as in {_lasting_example(kind)}")
    return msgspec.structs.replace(
        planned,
        fault=msgspec.structs.replace(planned.fault, at_s=when.at_s, lasts_s=lasts_s or 0.0),
        every_s=when.every_s,
        times=when.times,
        drawn_until_s=when.end_s if when.is_drawn else None,
    )


def _lasting_example(kind: FaultKind) -> str:
    words = {FaultKind.STALL: "stall server", FaultKind.PAUSE: "pause clients"}
    return f"12s {words.get(kind, 'network loss')} for 3s"


def fault_text(planned: PlannedFault) -> str:
    """Returns a fault as users write it: the inverse of ``parse_fault``."""
    fault = planned.fault
    start = short_duration(fault.at_s)
    if planned.drawn_until_s is not None:
        when = f"random {start}..{short_duration(planned.drawn_until_s)}"
    else:
        when = start
    if planned.every_s is not None:
        when += f" every {short_duration(planned.every_s)}"
    if planned.times is not None:
        when += f" x{planned.times}"
    text = f"{when} {action_text(planned)}"
    if not fault.lasts_s:
        return text
    is_single = planned.drawn_until_s is None and planned.every_s is None
    if is_single and fault.kind not in WITH_DURATION:
        return f"{start}..{short_duration(fault.ends_s)} {action_text(planned)}"
    for_ = "" if fault.kind in WITH_DURATION else "for "
    return f"{text} {for_}{short_duration(fault.lasts_s)}"
