"""What each kind of fault does, and how it is undone."""

import contextlib
import random
import signal
from collections.abc import Iterator

from bench.faults.targets import FaultFailed, FaultTargets
from bench.workload.faults import Fault, FaultKind

SERVER_IS_AWAY = frozenset(
    (
        FaultKind.STALL,
        FaultKind.PAUSE,
        FaultKind.KILL,
        FaultKind.RESTART,
        FaultKind.FAILOVER,
    )
)
"""Kinds during which a server that they strike answers nobody."""
_HELD = frozenset((FaultKind.STALL, FaultKind.NETWORK, FaultKind.FILL))
"""Kinds that last until they are undone. The others are over when they have been injected."""


def is_held(fault: Fault) -> bool:
    """Whether a fault goes on until it is undone."""
    return fault.kind in _HELD


def takes_server_away(fault: Fault) -> bool:
    """Whether the server answers nobody while the fault goes on."""
    return fault.kind in SERVER_IS_AWAY and not fault.of_worker


@contextlib.contextmanager
def effect(fault: Fault, targets: FaultTargets, draw: random.Random) -> Iterator[None]:
    """Inject a fault, and undo at the end of the context what has to be undone.

    Returns from the injection when it has taken effect, or, where nothing is undone, is over.
    Raises FaultFailed.
    """
    kind = fault.kind
    if fault.of_worker or kind is FaultKind.START:
        with _on_workers(fault, targets):
            yield
    elif kind in (FaultKind.NETWORK, FaultKind.RESET):
        with _on_network(fault, targets, draw):
            yield
    else:
        with _on_server(fault, targets):
            yield


@contextlib.contextmanager
def _on_workers(fault: Fault, targets: FaultTargets) -> Iterator[None]:
    workers = targets.workers
    if fault.kind is FaultKind.START:
        workers.start(fault.worker)
    elif fault.kind is FaultKind.KILL:
        workers.kill(fault.worker, signal_of(fault))
    elif fault.kind is FaultKind.STALL:
        workers.stall(fault.worker)
        try:
            yield
        finally:
            workers.resume(fault.worker)
        return
    else:
        raise FaultFailed(f"a worker has no {fault.kind}")
    yield


@contextlib.contextmanager
def _on_network(fault: Fault, targets: FaultTargets, draw: random.Random) -> Iterator[None]:
    network = targets.network
    if fault.kind is FaultKind.RESET:
        if network is None:
            targets.server.reset_connections(fault.share, draw)
        else:
            network.reset(fault.share)
        yield
        return
    if network is None:
        raise FaultFailed("the run's connections go straight to the server")
    network.set_network(fault.network)
    try:
        yield
    finally:
        network.set_network(targets.usual_network)


@contextlib.contextmanager
def _on_server(fault: Fault, targets: FaultTargets) -> Iterator[None]:
    server = targets.server
    if fault.kind is FaultKind.STALL:
        server.stall()
        try:
            yield
        finally:
            server.resume()
    elif fault.kind is FaultKind.FILL:
        server.fill()
        try:
            yield
        finally:
            server.make_room()
    else:
        if fault.kind is FaultKind.PAUSE:
            server.pause(fault.lasts_s)
        elif fault.kind is FaultKind.RESTART:
            server.restart(keeps_data=fault.keeps_data)
        elif fault.kind is FaultKind.FAILOVER:
            server.failover()
        else:
            server.kill(signal_of(fault))
        yield


def signal_of(fault: Fault) -> signal.Signals:
    """The signal of a fault that kills. Raises FaultFailed for one that this system lacks."""
    try:
        return signal.Signals[f"SIG{fault.signal}"]
    except KeyError:
        raise FaultFailed(f"this system has no signal {fault.signal}") from None
