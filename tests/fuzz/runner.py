"""Runs cases in a process of their own, which is ended when one takes too long or too much."""

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import redis

from bench.errors import ExitCode
from bench.redisio import embedded
from tests.fuzz import child
from tests.fuzz.cases import CANARY, Case
from tests.fuzz.ending import MOST_BYTES, Ending, most_s
from tests.fuzz.flags import ONCE_ONLY
from tests.fuzz.hostile import HostileServer
from tests.fuzz.run_delay import run_delay_s
from tests.talk import talk

_START_S = 60.0
_GRACE_S = 8.0
"""For a command that was asked to stop."""
STANDING_S = 2.0
"""How long a command that would last for long or for ever is left alone."""
_LOOK_S = 0.25
"""How often it is looked at whether a case has had its time."""
_STANDING = ("worker", "capacity")


class Runner:
    """Runs one case after the other; ``close`` ends the process."""

    def __init__(self, url: str, port: int) -> None:
        self._url = url
        self._port = port
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def run(self, case: Case) -> Ending:
        """Run a case and return how it ended."""
        is_marked = not case.variables.keys().isdisjoint(ONCE_ONLY)
        if is_marked:
            self.close()
        with contextlib.ExitStack() as stack:
            url = self._url
            if case.server is not None:
                talk(self._port, [("AUTH", CANARY), ("FLUSHALL",)])
                server = stack.enter_context(HostileServer(case.server, self._port, CANARY))
                url = server.url
            ending = self._ending(case, url)
        if ending.how in ("hung", "died") or ending.peak_bytes > MOST_BYTES or is_marked:
            self.close()
        return ending

    def close(self) -> None:
        """End the process and all that it started."""
        process, self._process = self._process, None
        if process is None or process.pid is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.join()
        if self._connection is not None:
            self._connection.close()

    def _ending(self, case: Case, url: str) -> Ending:
        connection = self._connected()
        began_s = time.monotonic()
        connection.send((case, url))
        wait_s = most_s(case) + 1.0
        if _stands(case):
            if connection.poll(STANDING_S):
                return self._received(connection, began_s)
            self._ask_to_stop()
            wait_s = _GRACE_S
        if self._answers_within(connection, wait_s):
            return self._received(connection, began_s)
        return Ending(how="hung", seconds=time.monotonic() - began_s)

    def _answers_within(self, connection: Connection, wait_s: float) -> bool:
        """Whether an answer, or the end of the process, comes in a time in which it had a core."""
        pid = "self" if self._process is None else self._process.pid or "self"
        since_s = time.monotonic() - run_delay_s(pid)
        while not connection.poll(_LOOK_S):
            if time.monotonic() - run_delay_s(pid) - since_s > wait_s:
                return False
        return True

    def _received(self, connection: Connection, began_s: float) -> Ending:
        try:
            ending: Ending = connection.recv()
        except EOFError:
            if self._process is not None:
                self._process.join(_GRACE_S)
            return Ending(
                how="died",
                code=None if self._process is None else self._process.exitcode,
                seconds=time.monotonic() - began_s,
            )
        return ending

    def _ask_to_stop(self) -> None:
        if self._process is not None and self._process.pid is not None:
            os.kill(self._process.pid, signal.SIGTERM)

    def _connected(self) -> Connection:
        if self._process is None or self._connection is None or not self._process.is_alive():
            self.close()
            context = multiprocessing.get_context("spawn")
            self._connection, other = context.Pipe()
            self._process = context.Process(target=child.main, args=(other,), daemon=True)
            self._process.start()
            other.close()
            if not self._connection.poll(_START_S):
                raise RuntimeError("the process for the cases does not start")
            self._connection.recv()
        return self._connection


def _stands(case: Case) -> bool:
    """Whether a command has to be ended: it measures, or waits, and is not to refuse its input."""
    may_go_on = not case.codes or not {0, ExitCode.INTERRUPTED}.isdisjoint(case.codes)
    return case.measures and may_go_on and (*case.arguments, "")[0] in _STANDING


@contextlib.contextmanager
def running() -> Iterator[Runner]:
    """A runner, and a server of its own that wants the password in every case's URL."""
    with embedded.running() as server:
        with redis.Redis.from_url(server.url) as client:
            rules = ("resetpass", f">{CANARY}", "+@all")
            client.execute_command("ACL", "SETUSER", "default", *rules)
        runner = Runner(f"redis://:{CANARY}@127.0.0.1:{server.port}/0", server.port)
        try:
            yield runner
        finally:
            runner.close()
