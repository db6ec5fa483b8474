"""What kept a worker from its work: refused commands, lost connections, tasks that are none."""

from collections.abc import Callable

from bench.inert import excerpt
from bench.measure.unserved import Unserved
from bench.wire.refusals import code_of


class Difficulties:
    """Counts difficulties by kind, and tells the first of each kind.

    ``tell`` takes a line without a full stop; it is for people, and nothing depends on it.
    """

    def __init__(self, tell: Callable[[str], None] = lambda _: None) -> None:
        self._tell = tell
        self._told: set[str] = set()
        self.refusals: dict[str, int] = {}
        """Number of commands that the server refused, by the code of its error."""
        self.unserved: dict[Unserved, int] = {}
        """Number of tasks that were taken and could not be served, by the reason."""
        self.reconnects = 0
        """Number of connections that were lost and replaced."""
        self.left = 0
        """Most tasks that a worker which has ended may have left on active lists."""

    def refused(self, message: str) -> None:
        """Count one refused command."""
        code = code_of(message)
        self.refusals[code] = self.refusals.get(code, 0) + 1
        self._tell_once(code, f"the server refuses a worker's command for now: {excerpt(message)}")

    def not_served(self, reason: Unserved, task_ids: list[bytes], consequence: str) -> None:
        """Count tasks that could not be served."""
        self.unserved[reason] = self.unserved.get(reason, 0) + len(task_ids)
        shown = excerpt(task_ids[0].decode(errors="backslashreplace"))
        self._tell_once(reason, f"task {shown} cannot be served: {reason.clause}; {consequence}")

    def unusable(self, queue: str, message: str) -> None:
        """Note that a queue cannot be served as it is."""
        self._tell_once(
            f"queue {queue}",
            f"queue {excerpt(queue)} cannot be served for now: {excerpt(message)}; it is tried "
            "once a second",
        )

    def no_heartbeat(self, message: str) -> None:
        """Note that the user may not write a heartbeat, or not let it expire."""
        self._tell_once(
            "heartbeat",
            f"the worker writes no heartbeat, so that others do not see it: {excerpt(message)}; "
            "grant HSET and EXPIRE in the ACL",
        )

    def lost_connection(self) -> None:
        """Count one connection that was lost and replaced."""
        self.reconnects += 1

    def disconnected(self, cause: str) -> None:
        """Note that the server cannot be reached."""
        self._tell_once("connection", f"the connection was lost: {cause}; the worker reconnects")

    def summary(self) -> list[str]:
        """One line for each kind of difficulty that there was, with its number."""
        lines = [
            f"commands that the server refused ({code}): {count:,}"
            for code, count in self.refusals.items()
        ]
        lines += [f"not served: {reason.of(count)}" for reason, count in self.unserved.items()]
        if self.left:
            lines.append(
                f"tasks that may stay on active lists, as the server did not answer the worker's "
                f"last commands about them: up to {self.left:,}; `bench verify` lists them"
            )
        if self.reconnects:
            lines.append(f"connections that were lost and replaced: {self.reconnects:,}")
        return lines

    def _tell_once(self, kind: str, line: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._tell(line)
