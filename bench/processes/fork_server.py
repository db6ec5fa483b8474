"""``bench.processes.fork_server``: forks processes that need not import anything.

Its arguments are a socket and the modules to import. After that each line that the socket brings,
with descriptors, is a process to fork: it names the module whose ``main`` the process runs. The
first descriptor becomes its standard error; the numbers of the others are its arguments. The server
answers with the process's number, and notifies of its end, with the exit code
(``bench.processes.forked`` is the other end). When the socket closes, the server ends.

It has no threads, and opens nothing: a fork of a process that has could inherit a lock that nobody
ever gives back.
"""

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_MOST_BYTES = 4096
_MOST_DESCRIPTORS = 16
_STANDARD_ERROR = 2
_OWN_NAME = Path("/proc/self/comm")


@dataclass(frozen=True)
class _Server:
    """The server's end of the socket, and a pipe that is readable once a process has ended."""

    channel: socket.socket
    woken: int
    wakes: int

    def serve(self) -> None:
        """Fork what is asked for until the socket closes."""
        while True:
            readable, _, _ = select.select([self.channel.fileno(), self.woken], [], [])
            if self.woken in readable:
                os.read(self.woken, _MOST_BYTES)
                self._tell_of_the_ended()
            if self.channel.fileno() in readable:
                line, descriptors, _, _ = socket.recv_fds(
                    self.channel, _MOST_BYTES, _MOST_DESCRIPTORS
                )
                if not line:
                    return
                self._fork(line.decode().strip(), descriptors)

    def _tell_of_the_ended(self) -> None:
        with contextlib.suppress(ChildProcessError):  # there is none that lives
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                self._tell(f"ended {pid} {os.waitstatus_to_exitcode(status)}")

    def _fork(self, module: str, descriptors: Sequence[int]) -> None:
        try:
            leads, led = os.pipe()
            try:
                pid = os.fork()
                if not pid:
                    self._become(module, descriptors, (leads, led))
            finally:
                os.close(led)
            # A signal to its group would be lost before it leads one: nobody learns of the process
            # until it does, or has ended, either of which closes the pipe.
            os.read(leads, 1)
            os.close(leads)
        except OSError as error:
            self._tell(f"refused {error.errno}")
        else:
            self._tell(f"forked {pid}")
        for each in descriptors:
            os.close(each)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the parent has ended: so does the server
            self.channel.sendall(f"{line}\n".encode())

    def _become(
        self, module: str, descriptors: Sequence[int], until_led: Sequence[int]
    ) -> NoReturn:
        """Be a process of that module, which has nothing of the server's but what it imported.

        ``until_led`` are the ends of a pipe that is closed once it leads a session of its own.
        """
        code = 1
        try:
            os.setsid()
            for each in until_led:
                os.close(each)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self.channel.close()
            os.close(self.woken)
            os.close(self.wakes)
            errors, *others = descriptors
            os.dup2(errors, _STANDARD_ERROR)
            os.close(errors)
            with contextlib.suppress(OSError):  # shown by ps and top; there is none on macOS
                _OWN_NAME.write_text(module.removesuffix(".process"))
            sys.argv = [module, *map(str, others)]
            code = importlib.import_module(module).main()
        except BaseException:  # nothing of the server may be run in it
            traceback.print_exc()
        finally:
            with contextlib.suppress(OSError):
                sys.stderr.flush()
            os._exit(code)


def main() -> None:
    """Import the modules, and serve."""
    gc.disable()  # nothing that is imported is garbage
    for module in sys.argv[2:]:
        importlib.import_module(module)
    gc.freeze()  # and no collection in a fork copies its pages
    gc.enable()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # only one that is handled wakes the server
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    _Server(socket.socket(fileno=int(sys.argv[1])), woken, wakes).serve()


if __name__ == "__main__":
    main()
