"""What a fault does, as users write it: ``stall worker 2``, ``kill -TERM worker all``."""

import re
import signal
from collections.abc import Callable, Mapping

from bench.errors import UsageError, nearest, quoted
from bench.units import parse_share
from bench.workload.faults import Fault, FaultKind, PlannedFault, Which
from bench.workload.network_text import network_text, parse_network, seconds_of
from bench.workload.quantities import plain

LASTING = frozenset((FaultKind.STALL, FaultKind.PAUSE, FaultKind.NETWORK, FaultKind.FILL))
"""What lasts for a time that is written."""
WITH_DURATION = frozenset((FaultKind.STALL, FaultKind.PAUSE))
"""What is written with its length at the end rather than as a period."""

SIGNALS = ("KILL", "TERM", "INT", "QUIT", "HUP", "ABRT", "SEGV", "USR1", "USR2")
_MOST_WORKER = 10_000

_FOR = re.compile(r"(.*) for (\S+)")
_LENGTH = re.compile(r"(server|clients|worker \S+) ([0-9.]\S*)$")
_WORKER = "write worker 1, worker all, or worker any for one that the seed draws"


def parse_action(text: str) -> tuple[PlannedFault, float | None]:
    """Reads what is done, its words separated by single blanks.

    Returns the fault, at no moment yet, and how long it lasts, None where that is not said. Raises
    UsageError.
    """
    verb, _, rest = text.partition(" ")
    reader = _READERS.get(verb)
    if reader is None:
        if not verb:
            raise UsageError(f"it does not say what is done: {_ALL}")
        raise UsageError(f"{quoted(verb)} is no fault{nearest(verb, _READERS) or f': {_ALL}'}")
    rest, lasts_s = _without_length(rest, verb in WITH_DURATION)
    return reader(rest), lasts_s


def _without_length(text: str, is_bare: bool) -> tuple[str, float | None]:
    """Returns what is written before the length, and the length, None where there is none.

    ``is_bare`` says whether it may stand without ``for``.
    """
    match = _FOR.fullmatch(f" {text}") or (_LENGTH.fullmatch(text) if is_bare else None)
    if match is None:
        return text, None
    lasts_s = seconds_of(match[2])
    if not lasts_s:
        raise UsageError(f"{quoted(match[2])}: it must be longer than zero")
    return match[1].strip(), lasts_s


def action_text(planned: PlannedFault) -> str:
    """Returns what a fault does as users write it, without how long it lasts."""
    fault = planned.fault
    target = "server" if not fault.of_worker else _worker_text(planned.which)
    sent = "" if fault.signal == "KILL" else f"-{fault.signal} "
    share = "" if fault.share == 1 else f" {plain(fault.share * 100)}%"
    words: Mapping[FaultKind, str] = {
        FaultKind.STALL: target,
        FaultKind.PAUSE: "clients",
        FaultKind.KILL: f"{sent}{target}",
        FaultKind.START: target,
        FaultKind.RESTART: "server" if fault.keeps_data else "server empty",
        FaultKind.FAILOVER: "",
        FaultKind.RESET: f"connections{share}",
        FaultKind.NETWORK: network_text(fault.network),
        FaultKind.FILL: "memory",
    }
    return f"{fault.kind} {words[fault.kind]}".rstrip()


def _worker_text(which: Which) -> str:
    return "worker" if which is None else f"worker {which}"


def _stall(rest: str) -> PlannedFault:
    if rest == "server":
        return _of_server(FaultKind.STALL)
    if rest.startswith("server "):
        raise _unknown(rest, ("server",), "stall server 3s")
    return _of_worker(FaultKind.STALL, rest, "stall server 3s, or ")


def _kill(rest: str) -> PlannedFault:
    sent = "KILL"
    if rest.startswith("-"):
        word, _, rest = rest.partition(" ")
        sent = _signal(word[1:])
    if rest == "server":
        return PlannedFault(fault=Fault(kind=FaultKind.KILL, at_s=0.0, signal=sent))
    return _of_worker(FaultKind.KILL, rest, "", sent)


def _signal(text: str) -> str:
    name = text.upper().removeprefix("SIG")
    if text.isdigit() and int(text) in {*signal.Signals}:
        name = signal.Signals(int(text)).name.removeprefix("SIG")
    if name in ("STOP", "TSTP"):
        raise UsageError(f"-{text} ends no process: write stall for one that goes on after a while")
    if name not in SIGNALS:
        hint = nearest(name, SIGNALS) or f": there are {', '.join(SIGNALS)}"
        raise UsageError(f"-{text} is no signal that ends a process{hint}")
    return name


def _start(rest: str) -> PlannedFault:
    if rest == "worker":
        return PlannedFault(fault=Fault(kind=FaultKind.START, at_s=0.0, of_worker=True))
    planned = _of_worker(FaultKind.START, rest, "start worker for one that was ended, or ")
    if planned.which == "any":
        raise UsageError("any is for workers that are there: write start worker")
    return planned


def _restart(rest: str) -> PlannedFault:
    if rest not in ("server", "server empty"):
        raise _unknown(rest, ("server", "server empty"), "restart server, or restart server empty")
    keeps_data = rest == "server"
    return PlannedFault(fault=Fault(kind=FaultKind.RESTART, at_s=0.0, keeps_data=keeps_data))


def _failover(rest: str) -> PlannedFault:
    if rest:
        raise UsageError(f"failover takes no more words: remove {quoted(rest)}")
    return _of_server(FaultKind.FAILOVER)


def _reset(rest: str) -> PlannedFault:
    word, _, share = rest.partition(" ")
    if word != "connections":
        raise _unknown(word, ("connections",), "reset connections, or reset connections 50%")
    part = round(parse_share(share), 9) if share else 1.0
    if not part:
        raise UsageError(f"{quoted(share)} is too small a share to reset a connection")
    return PlannedFault(fault=Fault(kind=FaultKind.RESET, at_s=0.0, share=part))


def _network(rest: str) -> PlannedFault:
    network = parse_network(rest)
    return PlannedFault(fault=Fault(kind=FaultKind.NETWORK, at_s=0.0, network=network))


def _fill(rest: str) -> PlannedFault:
    if rest != "memory":
        raise _unknown(rest, ("memory",), "fill memory")
    return _of_server(FaultKind.FILL)


def _pause(rest: str) -> PlannedFault:
    if rest != "clients":
        raise _unknown(rest, ("clients",), "pause clients 2s")
    return _of_server(FaultKind.PAUSE)


def _of_server(kind: FaultKind) -> PlannedFault:
    return PlannedFault(fault=Fault(kind=kind, at_s=0.0))


def _of_worker(kind: FaultKind, rest: str, others: str, sent: str = "KILL") -> PlannedFault:
    """A fault of the worker that is written. Raises UsageError where none is."""
    word, _, number = rest.partition(" ")
    if word != "worker":
        raise _unknown(word, ("worker", "server"), f"{others}{kind} worker 1")
    fault = Fault(kind=kind, at_s=0.0, of_worker=True, signal=sent)
    return PlannedFault(fault=fault, which=_which(number))


def _which(text: str) -> Which:
    if text == "all":
        return "all"
    if text == "any":
        return "any"
    if not re.fullmatch(r"[0-9]{1,6}", text):
        said = f"{quoted(text)} is no worker" if text else "it does not say which worker"
        raise UsageError(f"{said}: {_WORKER}")
    if not 1 <= int(text) <= _MOST_WORKER:
        raise UsageError(f"worker {text} cannot be: workers are counted from 1")
    return int(text)


def _unknown(written: str, words: tuple[str, ...], example: str) -> UsageError:
    if not written:
        return UsageError(f"it does not say to what: write {example}")
    first, _, more = written.partition(" ")
    if more and first in words:
        return UsageError(f"{quoted(more)} is not known here: write {example}")
    hint = nearest(written, words, 0.6) or f": write {example}"
    return UsageError(f"{quoted(written)} is not known here{hint}")


_READERS: Mapping[str, Callable[[str], PlannedFault]] = {
    "stall": _stall,
    "pause": _pause,
    "kill": _kill,
    "start": _start,
    "restart": _restart,
    "failover": _failover,
    "reset": _reset,
    "network": _network,
    "fill": _fill,
}
_ALL = f"there are {', '.join(_READERS)}"
