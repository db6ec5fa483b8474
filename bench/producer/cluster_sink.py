"""Frames for a Redis Cluster: each queue has a connection to the node that serves its slot.

A node that is silent or gone holds up the tasks of its own queues only. What a node refuses because
it does not serve the slot, or not at the moment, was not carried out, so it is sent again: where
the node says, or a little later. Its moment of sending stays the first one. What was not answered
when a connection was lost is never sent again, and stays unknown.
"""

import select
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.arrays import Integers
from bench.clock import Clock
from bench.errors import ServerUnreachable
from bench.producer.recorder import ProducerRecorder
from bench.producer.slot_connection import AnsweredTasks, Meaning, SentTasks, SlotConnection
from bench.redisio.connection import ConnectionLost, open_cluster
from bench.redisio.url import NodeAddress, node_url, parse
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch, Frame
from bench.wire.slots import queue_slot
from bench.workload.scenario import Scenario

_SIDE_TIMEOUT_S = 1.0
"""How long to wait for answers that are not measured: nothing is sent meanwhile."""
_MOST_UNSENT_BYTES = 4 << 20
_AGAIN_US = 20_000
"""After which refused tasks are sent again, and a lost node is looked for again."""
_PROBED = 64
"""Most tasks that are sent again at a time while the slot is not known to be served again."""
_SILENT_US = 1_000_000
"""How long a node may be silent about tasks before the others are asked who serves their slot."""


@dataclass(frozen=True)
class SlotFrame:
    """The tasks of a batch that go to one slot, and their indices (n,) in the batch."""

    slot: int
    frame: Frame
    members: Integers


@dataclass
class _Held:
    """Tasks of one slot that no node takes at the moment."""

    tasks: deque[SentTasks] = field(default_factory=deque)
    again_us: int = 0
    is_refused: bool = True
    """Whether any was refused since tasks were sent again last."""


class ClusterSink:
    """Frames out to the nodes, replies in. Raises ServerUnreachable."""

    def __init__(self, url: str, scenario: Scenario, run: int, number: int, clock: Clock) -> None:
        self._url = url
        self._clock = clock
        self._layout = scenario.wire_layout
        self._is_closed_loop = scenario.is_closed_loop
        queues = list(scenario.queues)
        slots = [queue_slot(self._layout, queue) or 0 for queue in queues]
        self._slots = np.array(slots, np.int64)
        """The slot of each queue."""
        self._renderer = FrameRenderer(self._layout, queues, run, number, scenario.max_retry)
        self._client = open_cluster(url, _SIDE_TIMEOUT_S)
        self._current: dict[int, SlotConnection] = {}
        """The connection for new tasks, by slot."""
        self._open: dict[int, SlotConnection] = {}
        """All connections, by descriptor."""
        self._held: dict[int, _Held] = {}
        self._numbers = 0
        self._renewed_us = 0
        self.last_list_length: int | None = None
        for slot in sorted(set(slots)):
            self._connect(slot, self._client.owner(slot), asking=False)

    @property
    def is_congested(self) -> bool:
        """Whether many bytes are still waiting for the sockets."""
        return sum(each.raw.unsent_bytes for each in self._open.values()) > _MOST_UNSENT_BYTES

    def prepare(self, batch: Batch) -> Sequence[SlotFrame]:
        """Render a batch with absolute due times, for each slot by itself."""
        slots = self._slots[batch.queue]
        frames = []
        for slot in np.unique(slots).tolist():
            members = np.flatnonzero(slots == slot)
            bodies = batch.bodies
            chosen = (
                bodies[members]
                if isinstance(bodies, np.ndarray)
                else [bodies[member] for member in members.tolist()]
            )
            part = Batch(
                batch.sequence[members], batch.due_us[members], batch.queue[members], chosen
            )
            frames.append(SlotFrame(slot, self._renderer.render(part), members))
        return frames

    def send(
        self, prepared: Sequence[SlotFrame], start: int, stop: int, recorder: ProducerRecorder
    ) -> None:
        """Stamp and send tasks of a batch, each to the node of its queue."""
        now_us = self._clock.now_us()
        for part in prepared:
            first, end = np.searchsorted(part.members, (start, stop)).tolist()
            if first == end:
                continue
            tasks = part.frame.tasks
            # In a closed loop, tasks are due when they are sent.
            sent_us = int(tasks.due_us[-1]) if self._is_closed_loop else now_us
            sent = SentTasks(part.frame, first, end, sent_us)
            connection = self._current.get(part.slot)
            number = held_number(part.slot) if connection is None else connection.number
            recorder.sent(tasks, first, end, sent_us, number)
            if connection is None:
                self._hold(part.slot, [sent], now_us)
            else:
                self._send(connection, sent, recorder)

    def wait(self, until_us: int, recorder: ProducerRecorder, control: int) -> bool:
        """Take replies until then, or until some have come or ``control`` is readable.

        Returns whether ``control``, a file descriptor, is readable.
        """
        now_us = self._clock.now_us()
        for held in self._held.values():
            until_us = min(until_us, held.again_us)
        unsent = [each.descriptor for each in self._open.values() if each.raw.unsent_bytes]
        readable, writable, _ = select.select(
            [*self._open, control], unsent, [], max(until_us - now_us, 0) / 1e6
        )
        for descriptor in writable:
            connection = self._open.get(descriptor)
            if connection is not None:
                self._flush(connection, recorder)
        for descriptor in readable:
            connection = self._open.get(descriptor)
            if connection is not None:
                self._take_replies(connection, recorder)
        self._look_after(recorder)
        return control in readable

    def reconnect(self) -> None:
        """Nothing: connections are opened again one by one, as their nodes come back."""

    def close(self) -> None:
        """Close all connections."""
        for connection in self._open.values():
            connection.raw.close()
        self._client.close()

    def _send(
        self, connection: SlotConnection, tasks: SentTasks, recorder: ProducerRecorder
    ) -> None:
        try:
            connection.send(tasks)
        except ConnectionLost:
            self._lose(connection, recorder)

    def _take_replies(self, connection: SlotConnection, recorder: ProducerRecorder) -> None:
        now_us = self._clock.now_us()
        try:
            found = connection.take_replies(now_us)
            for answered in found:
                self._note(connection, answered, now_us, recorder)
        except ConnectionLost:
            self._lose(connection, recorder)
            return
        if connection.last_list_length is not None:
            self.last_list_length = connection.last_list_length
        is_old = self._current.get(connection.slot) is not connection
        if is_old and not connection.is_asking and not connection.in_flight:
            self._forget(connection)

    def _note(
        self,
        connection: SlotConnection,
        answered: AnsweredTasks,
        now_us: int,
        recorder: ProducerRecorder,
    ) -> None:
        meaning, count, message = answered
        slot, number = connection.slot, connection.number
        if meaning is Meaning.ACCEPTED or meaning is Meaning.REFUSED:
            connection.take(count)
            is_refused = meaning is Meaning.REFUSED
            if is_refused:
                recorder.note_error(message)
            recorder.answered(count, now_us, range(count) if is_refused else (), number)
            return
        target = None
        if meaning is Meaning.MOVED or meaning is Meaning.ASK:
            is_asking = meaning is Meaning.ASK
            target = self._connect(slot, connection.named(message), asking=is_asking)
        elif meaning is Meaning.NO_SCRIPT:
            self._load_scripts(connection.address)
        tasks = connection.take(count)
        recorder.redirected(count, number, held_number(slot) if target is None else target.number)
        if target is None:
            self._hold(slot, tasks, now_us)
        else:
            for each in tasks:
                self._send(target, each, recorder)

    def _hold(self, slot: int, tasks: Sequence[SentTasks], now_us: int) -> None:
        held = self._held.setdefault(slot, _Held(again_us=now_us + _AGAIN_US))
        held.tasks.extend(tasks)
        held.is_refused = True

    def _look_after(self, recorder: ProducerRecorder) -> None:
        """Send held tasks again that may be taken now, and look for nodes that are gone."""
        now_us = self._clock.now_us()
        for connection in self._open.values():
            if connection.in_flight and now_us - connection.heard_us > _SILENT_US:
                self._renew(now_us, _SILENT_US)
                break
        for slot, held in [*self._held.items()]:
            if now_us < held.again_us:
                continue
            held.again_us = now_us + _AGAIN_US
            target = self._current.get(slot)
            if target is None:
                self._renew(now_us, _AGAIN_US)
                target = self._connect(slot, self._client.owner(slot), asking=False)
            if target is not None:
                self._send_again(slot, held, target, recorder)

    def _send_again(
        self, slot: int, held: _Held, target: SlotConnection, recorder: ProducerRecorder
    ) -> None:
        room = _PROBED if held.is_refused else sum(map(len, held.tasks))
        held.is_refused = False
        while room and held.tasks:
            tasks = held.tasks[0].take(room)
            room -= len(tasks)
            if not len(held.tasks[0]):
                held.tasks.popleft()
            recorder.redirected(len(tasks), held_number(slot), target.number)
            self._send(target, tasks, recorder)
            if self._current.get(slot) is not target:
                break
        if not held.tasks:
            del self._held[slot]

    def _renew(self, now_us: int, every_us: int) -> None:
        """Ask who serves which slot, not too often, and send new tasks there."""
        if now_us - self._renewed_us < every_us:
            return
        self._client.renew_map()
        self._renewed_us = self._clock.now_us()
        for slot, connection in [*self._current.items()]:
            if self._client.owner(slot) != connection.address:
                self._connect(slot, self._client.owner(slot), asking=False)

    def _connect(self, slot: int, address: NodeAddress, *, asking: bool) -> SlotConnection | None:
        """The connection of a slot to a node; None where that cannot be opened now."""
        for each in self._open.values():
            if (each.slot, each.address, each.is_asking) == (slot, address, asking):
                if not asking:
                    self._current[slot] = each
                return each
        try:
            self._load_scripts(address)
            url = node_url(parse(self._url), address)
            connection = SlotConnection(url, address, slot, self._numbers, asking=asking)
        except ServerUnreachable:
            return None
        self._numbers += 1
        self._open[connection.descriptor] = connection
        if not asking:
            self._current[slot] = connection
        return connection

    def _load_scripts(self, address: NodeAddress) -> None:
        """Load the layout's scripts into a node; one that cannot take them now says so later."""
        self._client.try_to_load(address, self._layout.scripts)

    def _flush(self, connection: SlotConnection, recorder: ProducerRecorder) -> None:
        try:
            connection.raw.flush()
        except ConnectionLost:
            self._lose(connection, recorder)

    def _lose(self, connection: SlotConnection, recorder: ProducerRecorder) -> None:
        """Give a connection up: its tasks in flight stay unknown, and new ones are held."""
        recorder.node_lost(connection.number)
        self._forget(connection)
        self._held.setdefault(connection.slot, _Held())

    def _forget(self, connection: SlotConnection) -> None:
        del self._open[connection.descriptor]
        if self._current.get(connection.slot) is connection:
            del self._current[connection.slot]
        connection.raw.close()


def held_number(slot: int) -> int:
    """The number under which a recorder knows the tasks of a slot that no node takes now."""
    return -1 - slot
