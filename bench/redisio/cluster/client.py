"""A client of a Redis Cluster: each command goes to the node that serves its key.

It is redis-py's client of one server, once for each node, with the same checks and the same
patience. What the cluster redirects was not carried out, so it is sent where it belongs.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.client import Pipeline
from redis.exceptions import AskError, ClusterDownError, MovedError, TryAgainError

from bench.errors import ServerUnreachable, UsageError
from bench.redisio.checked_replies import CheckingClient
from bench.redisio.cluster.slot_map import SlotMap, keys_by_slot, read_slots
from bench.redisio.url import NodeAddress, RedisUrl, node_url
from bench.wire import slots
from bench.wire.resp import as_bytes

_MOST_REDIRECTIONS = 8
_PASSES_FOR_S = 10.0
"""How long a command is sent again that the cluster refuses for the moment."""
_PAUSE_S = 0.02
_SUMMED = frozenset(("DEL", "EXISTS", "TOUCH", "UNLINK"))
"""Commands with any number of keys that answer how many of them there were."""
_OF_ALL = frozenset(("SCRIPT LOAD", "DBSIZE"))
"""Commands that concern all masters."""
_TRIED_AGAIN = (AskError, TryAgainError, ClusterDownError)  # MovedError is an AskError
Staged = tuple[tuple[Any, ...], dict[str, Any]]
"""The arguments of a command and redis-py's options for its reply."""


class ClusterClient(CheckingClient):
    """The client of a cluster. ``open_node`` opens a client of the node with a URL.

    Raises UsageError where the nodes are not those of a cluster, ServerUnreachable where none of
    them answers or slots are not served, and redis-py's errors.
    """

    def __init__(self, parts: RedisUrl, open_node: Callable[[str], CheckingClient]) -> None:
        self._parts = parts
        self._open_node = open_node
        self._clients: dict[NodeAddress, CheckingClient] = {}
        self._silent: set[NodeAddress] = set()
        """Nodes that did not answer when they were asked last."""
        self.slot_map = self._first_map()
        main = self.main
        super().__init__(main.connection_pool)
        for client in self._clients.values():
            client.answered = self.answered

    def _first_map(self) -> SlotMap:
        error: Exception | None = None
        for node in self._parts.nodes:
            try:
                found = read_slots(self.node(node), node)
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as reason:
                error = error or reason
                continue
            except redis.exceptions.ResponseError as reason:
                if "cluster support disabled" in str(reason) or "unknown" in str(reason):
                    self._close_nodes()
                    raise UsageError(
                        f"{node} is no node of a Redis Cluster: write redis://{node} for a server "
                        "on its own"
                    ) from None
                raise
            if found.unserved:
                self._close_nodes()
                raise ServerUnreachable(
                    f"the cluster of {node} serves {slots.SLOTS - found.unserved:,} of "
                    f"{slots.SLOTS:,} slots: assign the others (redis-cli --cluster fix {node})"
                )
            return found
        raise error or redis.exceptions.ConnectionError("the URL names no node")

    def node(self, node: NodeAddress) -> CheckingClient:
        """The client of one node, which is connected with its first command."""
        client = self._clients.get(node)
        if client is None:
            client = self._clients[node] = self._open_node(node_url(self._parts, node))
            if hasattr(self, "answered"):
                client.answered = self.answered
        return client

    @property
    def main(self) -> CheckingClient:
        """The client of the node that answers for the cluster what concerns no key."""
        return self.node(self.slot_map.masters[0])

    @property
    def masters(self) -> dict[str, CheckingClient]:
        """The clients of all masters, by address."""
        return {str(node): self.node(node) for node in self.slot_map.masters}

    def renew_map(self) -> None:
        """Ask the nodes again who serves which slot, and keep the old map where none answers."""
        known = dict.fromkeys([*self.slot_map.masters, *self._parts.nodes])
        for node in sorted(known, key=self._silent.__contains__):  # the silent ones last
            try:
                self.slot_map = read_slots(self.node(node), node)
                self._silent.discard(node)
                return
            except redis.exceptions.RedisError:
                self._silent.add(node)

    def try_to_load(self, node: NodeAddress, scripts: Sequence[str]) -> None:
        """Load scripts into one node, as far as it takes them now."""
        with contextlib.suppress(redis.exceptions.RedisError):
            for text in scripts:
                self.node(node).script_load(text)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command to the node of its key, and to all masters what concerns all of them."""
        name = str(args[0]).upper()
        if name in _OF_ALL:
            replies = [each.execute_command(*args, **options) for each in self.masters.values()]  # type: ignore[no-untyped-call]
            return sum(replies) if name == "DBSIZE" else replies[0]
        if len(by_slot := _indices_by_slot(args)) > 1:
            keys = [_encoded(key) for key in args[1:]]
            return self._at_several(name, keys, list(by_slot.values()))
        return self._at_owner(args, options)

    def _at_all(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return self.execute_command(*args, **options)

    def _at_several(
        self, name: str, keys: Sequence[bytes], parts: Sequence[Sequence[int]]
    ) -> int | list[Any]:
        """A command whose keys lie in several slots, once for each: its sum, or its values (n,)."""
        replies = [self._at_owner((name, *(keys[each] for each in part)), {}) for part in parts]
        if name in _SUMMED:
            return sum(map(int, replies))
        values: list[Any] = [None] * len(keys)
        for part, found in zip(parts, replies, strict=True):
            for index, value in zip(part, found, strict=True):
                values[index] = value
        return values

    def _at_owner(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        began_s = time.monotonic()
        redirections = 0
        asked: NodeAddress | None = None
        while True:
            try:
                if asked is not None:
                    return self._ask(asked, args, options)
                return self._client_of(args).execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except _TRIED_AGAIN as error:
                asked = None
                if isinstance(error, MovedError):
                    self._note_moved(error)
                elif isinstance(error, AskError):
                    asked = self._named(error)
                redirections += isinstance(error, AskError)
                if redirections > _MOST_REDIRECTIONS:
                    raise
                if not isinstance(error, AskError):
                    if time.monotonic() - began_s > _PASSES_FOR_S:
                        raise
                    time.sleep(_PAUSE_S)
                    self.renew_map()
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                self.renew_map()
                raise

    def _ask(self, node: NodeAddress, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """A command to a node that is taking over its slot."""
        with self.node(node).pipeline(transaction=False) as pipeline:
            pipeline.execute_command("ASKING")  # type: ignore[no-untyped-call]
            pipeline.execute_command(*args, **options)  # type: ignore[no-untyped-call]
            reply: Any = pipeline.execute(raise_on_error=False)[1]
        if isinstance(reply, Exception):
            raise reply
        return reply

    def _note_moved(self, error: MovedError) -> None:
        self.renew_map()  # others have probably moved with it
        self.slot_map = self.slot_map.moved(error.slot_id, self._named(error))

    def _named(self, error: AskError) -> NodeAddress:
        return NodeAddress(error.host or self._parts.host, error.port)

    def owner(self, slot: int | None) -> NodeAddress:
        """The master of a slot; of None, or of a slot without one, the main node."""
        owner = None if slot is None else self.slot_map.owners[slot]
        return owner or self.slot_map.masters[0]

    def _client_of(self, args: tuple[Any, ...]) -> CheckingClient:
        return self.node(self.owner(_slot_of(args)))

    def execute_staged(self, stack: Sequence[Staged], *, transaction: bool) -> list[Any]:
        """The replies (n,) to many commands, with errors among them: one pipeline for each node, or
        where they are transactions, which have the keys of one slot only, for each slot."""
        groups: dict[object, list[int]] = {}
        replies: list[Any] = [None] * len(stack)
        for index, (args, options) in enumerate(stack):
            is_of_several = str(args[0]).upper() in _OF_ALL or len(_indices_by_slot(args)) > 1
            if is_of_several and not transaction:
                replies[index] = _or_error(self._at_all, args, options)
                continue
            slot = _slot_of(args)
            groups.setdefault(slot if transaction else self.owner(slot), []).append(index)
        for indices in groups.values():
            node = self._client_of(stack[indices[0]][0])
            try:
                with node.pipeline(transaction=transaction) as pipeline:
                    for index in indices:
                        args, options = stack[index]
                        pipeline.execute_command(*args, **options)  # type: ignore[no-untyped-call]
                    found = pipeline.execute(raise_on_error=False)
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                self.renew_map()
                raise
            except redis.exceptions.ExecAbortError:
                found = [TryAgainError("the slot is being moved")] * len(indices)
            for index, reply in zip(indices, found, strict=True):
                is_refused = isinstance(reply, _TRIED_AGAIN)
                replies[index] = self._again(stack[index]) if is_refused else reply
        return replies

    def _again(self, staged: Staged) -> Any:
        return _or_error(self._at_owner, *staged)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """Returns a pipeline whose commands go to their nodes when it is executed."""
        return _ClusterPipeline(self, transaction)

    def scan(self, cursor: Any = 0, *args: Any, **options: Any) -> Any:
        """SCAN of all masters in turn; a cursor says which of them, too."""
        nodes = [*self.masters.values()]
        within, number = divmod(int(cursor), len(nodes))
        reply: Any = nodes[number].scan(within, *args, **options)
        following, keys = reply
        if following:
            return int(following) * len(nodes) + number, keys
        return (number + 1 if number + 1 < len(nodes) else 0), keys

    def close(self) -> None:
        """Close the connections to all nodes."""
        self._close_nodes()

    def _close_nodes(self) -> None:
        for client in self._clients.values():
            client.close()


class _ClusterPipeline(Pipeline):
    """Commands that are sent to their nodes together."""

    def __init__(self, client: ClusterClient, transaction: bool) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, None)
        self._client = client

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies (n,), in the order of the commands."""
        stack, self.command_stack = self.command_stack, []
        replies = self._client.execute_staged(stack, transaction=bool(self.transaction))
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies


def _or_error(send: Callable[..., Any], *staged: Any) -> Any:
    """The reply to a command, or the error with which the server refuses it."""
    try:
        return send(*staged)
    except redis.exceptions.ResponseError as error:
        return error


def _indices_by_slot(args: tuple[Any, ...]) -> dict[int, list[int]]:
    """For a command that may have keys in several slots: the indices of its keys, by slot."""
    name = str(args[0]).upper()
    if name not in _SUMMED and name != "MGET":
        return {}
    return keys_by_slot([slots.slot_of(_encoded(key)) for key in args[1:]])


def _slot_of(args: tuple[Any, ...]) -> int | None:
    first, *rest = [_encoded(each) for each in args[:4]]
    return slots.slot_of_command((first.split(b" ")[0], *rest))


def _encoded(argument: Any) -> bytes:
    return as_bytes(argument) if isinstance(argument, str | bytes) else str(argument).encode()
