"""Where a producer's tasks go: the harness's own way, which sends frames and waits for no reply.

A sink first prepares tasks, which takes a while and can be done before they are due, and then sends
them, all at once or in parts.
"""

import contextlib
import select
from collections.abc import Sequence
from typing import Protocol, TypeVar

import redis

from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.producer.pipelined_connection import PipelinedConnection
from bench.producer.recorder import ProducerRecorder
from bench.redisio.connection import ConnectionLost, open_client
from bench.redisio.queue_keys import load_scripts
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch, Frame
from bench.wire.layout_contract import Layout
from bench.workload.scenario import Scenario

_SIDE_TIMEOUT_S = 1.0
"""How long to wait for answers that are not measured: nothing is sent meanwhile."""
REOPEN_EVERY_US = 100_000
"""How often new connections are opened at most because the server says that it is not the one to
ask, and how long tasks in flight are waited for before that."""
_MOST_UNSENT_BYTES = 4 << 20
"""Bytes that may wait for the sockets; beyond that, tasks wait in the schedule."""


Prepared = TypeVar("Prepared")
"""What a sink makes of a batch, to send it or parts of it."""


class Sink(Protocol[Prepared]):
    """Where a producer's tasks go. Times are absolute, on the run's clock."""

    last_list_length: int | None
    """Length of a pending list, by the newest reply; None before the first."""

    @property
    def is_congested(self) -> bool:
        """Whether the next tasks should wait, as the socket has not taken the ones before them."""
        ...

    def prepare(self, batch: Batch) -> Prepared:
        """Do what can be done before a batch with absolute due times is sent."""
        ...

    def send(self, prepared: Prepared, start: int, stop: int, recorder: ProducerRecorder) -> None:
        """Send the tasks from ``start`` to ``stop`` (half-open) of what was prepared.

        Raises ConnectionLost.
        """
        ...

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        """Take replies until then, or until some have come or ``control`` is readable.

        Returns whether ``control``, a file descriptor, is readable. Raises ConnectionLost.
        """
        ...

    def reconnect(self) -> None:
        """Open a new connection. Raises ServerUnreachable."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Reopening:
    """When to give up connections to a server that refuses tasks as it cannot be written to.

    Those in flight are most likely refused as well: they are waited for, so that they are known to
    be. New connections may lead to the same server, which is not asked all the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused_us: int | None = None
        self._opened_us = clock.now_us() - REOPEN_EVERY_US

    def require(self, *, is_refused: bool, in_flight: int) -> None:
        """Note whether tasks were refused so. Raises ConnectionLost when that is to be done."""
        if is_refused and self._refused_us is None:
            self._refused_us = self._clock.now_us()
        if self._refused_us is None:
            return
        now_us = self._clock.now_us()
        has_waited = not in_flight or now_us >= self._refused_us + REOPEN_EVERY_US
        if has_waited and now_us >= self._opened_us + REOPEN_EVERY_US:
            self._refused_us, self._opened_us = None, now_us
            raise ConnectionLost("the server refuses to write in its present state")


class FrameSink:
    """Frames out, replies in.

    An open loop has one connection, so that tasks reach the server in the order of their due times,
    each as soon as possible. A closed loop has one connection for each batch in flight, and sends
    the commands of a batch sorted by kind: a server executes more commands when it finds work on
    several connections at a time, and many commands of the same kind in a row.
    """

    def __init__(self, url: str, scenario: Scenario, run: int, number: int, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._layout = scenario.wire_layout
        self._renderer = FrameRenderer(
            self._layout,
            list(scenario.queues),
            run,
            number,
            scenario.max_retry,
            by_command=scenario.is_closed_loop,
        )
        self._is_closed_loop = scenario.is_closed_loop
        self._connection_count = scenario.in_flight if scenario.is_closed_loop else 1
        self._reopening = Reopening(clock)
        self._connect()
        self.last_list_length: int | None = None

    @property
    def is_congested(self) -> bool:
        """Whether many bytes are still waiting for the sockets."""
        unsent_bytes = 0
        for connection in self._senders:
            unsent_bytes += connection.raw.unsent_bytes
        return unsent_bytes > _MOST_UNSENT_BYTES

    def prepare(self, batch: Batch) -> Frame:
        """Render a batch with absolute due times."""
        return self._renderer.render(batch)

    def send(self, prepared: Frame, start: int, stop: int, recorder: ProducerRecorder) -> None:
        """Stamp and send tasks of a frame, on the connection with the fewest tasks in flight.

        Raises ConnectionLost.
        """
        connection = self._senders[0]
        if len(self._senders) > 1:
            connection = min(self._senders, key=_in_flight)
        # In a closed loop, tasks are due when they are sent.
        sent_us = int(prepared.tasks.due_us[-1]) if self._is_closed_loop else self._clock.now_us()
        try:
            connection.send(prepared, start, stop, sent_us, recorder)
        except ConnectionLost:
            self._take_last_replies(recorder)
            raise

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        """Take replies until then, or until some have come or ``control`` is readable.

        Returns whether ``control``, a file descriptor, is readable. Raises ConnectionLost.
        """
        timeout_s = max(until_us - self._clock.now_us(), 0) / 1e6
        connections = self._by_descriptor
        unsent = [sender.descriptor for sender in self._senders if sender.raw.unsent_bytes]
        readable, writable, _ = select.select([*connections, control], unsent, [], timeout_s)
        try:
            for descriptor in writable:
                connections[descriptor].raw.flush()
        except ConnectionLost:
            self._take_last_replies(recorder)
            raise
        for descriptor in readable:
            connection = connections.get(descriptor)
            if connection is not None:
                self._take_replies(connection, recorder)
        if readable != [control]:
            self._follow()
        return control in readable

    def _take_replies(self, connection: PipelinedConnection, recorder: ProducerRecorder) -> None:
        try:
            connection.take_replies(self._clock, recorder)
        except ConnectionLost:
            self._take_last_replies(recorder, but_of=connection)
            raise
        self.last_list_length = connection.last_list_length
        if connection.lacks_scripts:
            load_scripts_again(self._url, self._layout, self._senders)

    def _take_last_replies(
        self, recorder: ProducerRecorder, but_of: PipelinedConnection | None = None
    ) -> None:
        """As all connections are given up. Replies after one that answers no command, on
        ``but_of``, cannot be assigned to tasks."""
        for each in self._senders:
            if each is not but_of:
                each.take_last_replies(self._clock, recorder)

    def _follow(self) -> None:
        """Raise ConnectionLost where another server may be the one to ask."""
        is_refused = False
        for sender in self._senders:
            is_refused |= sender.leads_elsewhere
            if sender.raw.has_moved:
                raise ConnectionLost("another server has become the master")
        in_flight = sum(map(_in_flight, self._senders)) if is_refused else 0
        self._reopening.require(is_refused=is_refused, in_flight=in_flight)

    def reconnect(self) -> None:
        """Open new connections; replies to tasks in flight will never come.

        Raises ServerUnreachable.
        """
        self.close()
        self._connect()
        load_scripts_again(self._url, self._layout, self._senders)  # a restarted server has none

    def close(self) -> None:
        """Close all connections."""
        for connection in self._senders:
            connection.raw.close()

    def _connect(self) -> None:
        self._senders = [
            PipelinedConnection(
                self._url, number, self._renderer.answers, in_batches=self._is_closed_loop
            )
            for number in range(self._connection_count)
        ]
        self._by_descriptor = {each.descriptor: each for each in self._senders}


def _in_flight(connection: PipelinedConnection) -> int:
    return connection.in_flight


def load_scripts_again(
    url: str, layout: Layout, connections: Sequence[PipelinedConnection]
) -> None:
    """Load the layout's scripts, which a server forgets when it restarts or is told to.

    If that fails now, it is done at the next refusal.
    """
    for connection in connections:
        connection.lacks_scripts = False
    with (
        contextlib.suppress(ServerUnreachable, redis.exceptions.RedisError),
        open_client(url, _SIDE_TIMEOUT_S) as client,
    ):
        load_scripts(client, layout)
