"""One connection for the tasks of one slot of a cluster: the tasks in flight can be sent again
where the node says that it has refused them."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from bench.redisio.cluster.slot_map import redirection
from bench.redisio.connection import ConnectionLost, RawConnection
from bench.redisio.url import NodeAddress
from bench.wire import resp
from bench.wire.frames import Frame
from bench.wire.refusals import code_of
from bench.wire.replies import LineReplies

_ASKING = resp.encode([("ASKING",)])


@dataclass(slots=True)
class SentTasks:
    """Tasks of a frame from ``start`` to ``stop`` (half-open), with their moment of sending."""

    frame: Frame
    start: int
    stop: int
    sent_us: int

    def take(self, count: int) -> "SentTasks":
        """Split off the first tasks, at most ``count``."""
        stop = min(self.start + count, self.stop)
        taken = SentTasks(self.frame, self.start, stop, self.sent_us)
        self.start = stop
        return taken

    def __len__(self) -> int:
        return self.stop - self.start


class Meaning(Enum):
    """What became of tasks, by the replies of a node."""

    ACCEPTED = auto()
    REFUSED = auto()
    MOVED = auto()
    """Another node serves the slot."""
    ASK = auto()
    """Another node is taking the slot over, and has this task's place."""
    LATER = auto()
    """The slot cannot be served at the moment."""
    NO_SCRIPT = auto()
    """The node does not know the layout's scripts."""


_MEANINGS = {
    "MOVED": Meaning.MOVED,
    "ASK": Meaning.ASK,
    "TRYAGAIN": Meaning.LATER,
    "CLUSTERDOWN": Meaning.LATER,
    "NOSCRIPT": Meaning.NO_SCRIPT,
}


class AnsweredTasks(NamedTuple):
    """The next tasks of a connection, in their order, to which the same happened."""

    meaning: Meaning
    tasks: int
    """Number of tasks."""
    message: str = ""
    """The error, where there is one: it is that of one task."""


class SlotConnection:
    """Sends the tasks of one slot to one node, one command each, and never waits.

    ``number`` identifies the connection to the recorder. With ``asking`` each task follows an
    ASKING, for a node that is taking the slot over. Raises ServerUnreachable.
    """

    def __init__(
        self, url: str, address: NodeAddress, slot: int, number: int, asking: bool
    ) -> None:
        self.raw = RawConnection(url)
        self.address = address
        self.slot = slot
        self.number = number
        self.is_asking = asking
        self.descriptor = self.raw.fileno()
        self.in_flight: deque[SentTasks] = deque()
        self.heard_us = 0
        """When a reply came last, or tasks were sent while none was awaited."""
        self.last_list_length: int | None = None
        self._replies = LineReplies()
        self._lines_seen = 0
        """Number of replies to the first task in flight that have arrived."""

    def send(self, tasks: SentTasks) -> None:
        """Send tasks. Raises ConnectionLost, and has noted them as sent even then."""
        if not self.in_flight:
            self.heard_us = tasks.sent_us
        self.in_flight.append(tasks)
        frame, sent_us = tasks.frame, tasks.sent_us
        if not self.is_asking:
            self.raw.send(frame.stamped(sent_us, tasks.start, tasks.stop))
            return
        for index in range(tasks.start, tasks.stop):
            self.raw.send(_ASKING + bytes(frame.stamped(sent_us, index, index + 1)))

    def take_replies(self, now_us: int) -> list[AnsweredTasks]:
        """What the replies say that have arrived. Raises ConnectionLost."""
        try:
            replies = self._replies.feed(self.raw.receive())
        except ValueError as error:
            raise ConnectionLost(f"the node sent what answers no command: {error}") from None
        if replies.count:
            self.heard_us = now_us
        if replies.last_number is not None:
            self.last_list_length = replies.last_number
        lines = 2 if self.is_asking else 1
        before = self._lines_seen
        answered, self._lines_seen = divmod(before + replies.count, lines)
        if answered > sum(map(len, self.in_flight)):
            raise ConnectionLost("the node sent more replies than there were commands")
        found: list[AnsweredTasks] = []
        done = 0
        for index, message in replies.errors:
            task = (before + index) // lines
            if task > done:
                found.append(AnsweredTasks(Meaning.ACCEPTED, task - done))
            meaning = _MEANINGS.get(code_of(message), Meaning.REFUSED)
            found.append(AnsweredTasks(meaning, 1, message))
            done = task + 1
        if answered > done:
            found.append(AnsweredTasks(Meaning.ACCEPTED, answered - done))
        return found

    def take(self, count: int) -> list[SentTasks]:
        """Take the next tasks off those in flight, ``count`` of them."""
        taken = []
        while count:
            piece = self.in_flight[0].take(count)
            count -= len(piece)
            taken.append(piece)
            if not len(self.in_flight[0]):
                self.in_flight.popleft()
        return taken

    def named(self, message: str) -> NodeAddress:
        """The node that an error names. Raises ConnectionLost where it names none."""
        try:
            return redirection(message, self.address)[1]
        except ValueError as error:
            raise ConnectionLost(f"the node redirects to nowhere: {error}") from None
