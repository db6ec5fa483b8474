"""One stream of commands and replies for all nodes of a cluster, for those who await every reply.

A command goes to the node of its key, and its reply comes in the turn of the command. What a node
redirects was not carried out, so it is sent where it belongs, once. Refusals that pass, such as
TRYAGAIN, are handed on. Behind a refused command no other one of its slot is sent elsewhere: it is
refused as well, so that commands are never carried out in another order than they were sent in.

It costs a step of Python for each command and each reply. A producer has a connection for each
queue instead.
"""

import selectors
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from bench.errors import BenchError
from bench.redisio.cluster.slot_map import SlotMap, redirection
from bench.redisio.connection import ByteStream, ConnectionLost
from bench.redisio.url import NodeAddress
from bench.wire import resp, slots
from bench.wire.resp_bounds import end_of, head_of

_ASKING = resp.encode([("ASKING",)])
_HEAD = 4
"""Arguments of a command that are looked at for its first key."""
_REFUSED_TOO = b"-TRYAGAIN a command before it on the same slot was refused\r\n"
_MOST_REDIRECTIONS = 8


@dataclass(slots=True)
class _Command:
    """A command that was sent, and its reply once that has come."""

    data: bytes
    slot: int | None
    is_answered: bool = False
    reply: bytes = b""
    redirections: int = 0


class _Node:
    """The connection to one node, and what it has not answered."""

    def __init__(self, address: NodeAddress, connection: ByteStream) -> None:
        self.address = address
        self.connection = connection
        self.waiting: deque[_Command | None] = deque()
        """Commands in the order in which they were sent; None for ASKING."""
        self.buffer = b""

    def send(self, command: _Command, *, asking: bool) -> None:
        """Send a command. Raises ConnectionLost."""
        if asking:
            self.waiting.append(None)
            self.connection.send(_ASKING)
        self.waiting.append(command)
        self.connection.send(command.data)


class ClusterStream:
    """A ``ByteStream`` to all nodes. Commands and replies are RESP 2.

    ``connect`` opens a connection to a node. A node is connected when it first gets a command; if
    any connection is lost, so is the stream.
    """

    client_id: int | None = None
    """None: each connection has its own."""

    def __init__(self, slot_map: SlotMap, connect: Callable[[NodeAddress], ByteStream]) -> None:
        self._map = slot_map
        self._connect = connect
        self._nodes: dict[NodeAddress, _Node] = {}
        self._selector = selectors.DefaultSelector()
        self._writing: set[NodeAddress] = set()
        self._turns: deque[_Command] = deque()
        """All commands whose replies were not handed on, in the order in which they came."""
        self._refused: set[int] = set()
        """Slots of which a command was refused since the last one that all replies came for."""

    @property
    def unsent_bytes(self) -> int:
        """Always zero: what a socket has not taken is sent when ``receive`` is called, of which the
        descriptor tells, too."""
        return 0

    def fileno(self) -> int:
        """A descriptor that is readable when there is something to do."""
        return int(self._selector.fileno())

    def send(self, data: memoryview | bytes) -> None:
        """Send whole commands to their nodes. Raises ConnectionLost."""
        text = bytes(data)
        at = 0
        if not self._turns:
            self._refused.clear()
        while at < len(text):
            end = end_of(text, at)
            head = head_of(text, at, _HEAD)
            command = _Command(text[at:end], slots.slot_of_command(head))
            self._turns.append(command)
            if head[0].upper() == b"SCRIPT":
                self._send_to_all(command)
            else:
                self._send_to(self._owner(command.slot), command)
            at = end

    def _send_to_all(self, command: _Command) -> None:
        """Send a command to every master; the reply of the last one counts."""
        first, *others = self._map.masters
        for address in others:
            self._send_to(address, _Command(command.data, None))
        self._send_to(first, command)

    def _send_to(self, address: NodeAddress, command: _Command, *, asking: bool = False) -> None:
        node = self._nodes.get(address)
        if node is None:
            try:
                node = _Node(address, self._connect(address))
            except BenchError as error:
                raise ConnectionLost(str(error)) from None
            self._nodes[address] = node
            self._selector.register(node.connection, selectors.EVENT_READ, node)
        node.send(command, asking=asking)
        self._watch(node)

    def _watch(self, node: _Node) -> None:
        """Let the descriptor tell when the socket takes more, for as long as there is more."""
        is_writing = node.connection.unsent_bytes > 0
        if is_writing is not (node.address in self._writing):
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if is_writing else 0)
            self._selector.modify(node.connection, events, node)
            (self._writing.add if is_writing else self._writing.discard)(node.address)

    def _owner(self, slot: int | None) -> NodeAddress:
        owner = None if slot is None else self._map.owners[slot]
        return owner or self._map.masters[0]

    def flush(self) -> None:
        """Hand over what sockets have not taken. Raises ConnectionLost."""
        for address in [*self._writing]:
            self._nodes[address].connection.flush()
            self._watch(self._nodes[address])

    def receive(self) -> bytes:
        """The replies that are next in turn; empty when they have not come. Raises ConnectionLost.

        As many as there are are handed on, whole ones only.
        """
        for key, events in self._selector.select(0):
            node: _Node = key.data
            if events & selectors.EVENT_WRITE:
                node.connection.flush()
                self._watch(node)
            if events & selectors.EVENT_READ:
                self._take(node)
        turns = self._turns
        replies = []
        while turns and turns[0].is_answered:
            replies.append(turns.popleft().reply)
        return b"".join(replies)

    def _take(self, node: _Node) -> None:
        """Take what a node has sent."""
        data = node.connection.receive()
        node.buffer = buffer = node.buffer + data if node.buffer else data
        at = 0
        try:
            while at < len(buffer) and (end := end_of(buffer, at)) >= 0:
                if not node.waiting:
                    raise ValueError("more replies than commands")
                command = node.waiting.popleft()
                if command is not None:
                    self._answer(node, command, buffer[at:end])
                at = end
        except ValueError as error:
            raise ConnectionLost(f"{node.address} sent what is no answer: {error}") from None
        node.buffer = buffer[at:]

    def _answer(self, node: _Node, command: _Command, reply: bytes) -> None:
        if reply.startswith((b"-MOVED ", b"-ASK ")):
            self._redirect(node, command, reply)
            return
        command.is_answered = True
        command.reply = reply
        if command.slot is not None and reply.startswith((b"-TRYAGAIN", b"-CLUSTERDOWN")):
            self._refused.add(command.slot)

    def _redirect(self, node: _Node, command: _Command, reply: bytes) -> None:
        """Send a command where its node says it belongs, or refuse it like one before it."""
        slot, address = redirection(reply[1:-2].decode(errors="replace"), node.address)
        is_moved = reply.startswith(b"-MOVED")
        if is_moved:
            self._map = self._map.moved(slot, address)
        command.redirections += 1
        if command.redirections > _MOST_REDIRECTIONS or slot in self._refused:
            self._refused.add(slot)
            command.is_answered = True
            command.reply = _REFUSED_TOO
        else:
            self._send_to(address, command, asking=not is_moved)

    def close(self) -> None:
        """Close all connections."""
        self._selector.close()
        for node in self._nodes.values():
            node.connection.close()
