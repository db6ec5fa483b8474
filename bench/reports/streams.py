"""Standard output and standard error that never end what writes to them.

A run is not over because nobody reads its progress: its record is saved, and its verdict decides
the exit code. What could not be written is remembered, for commands whose only product is output.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

_IN_ASCII = str.maketrans(
    {
        "–": "-",
        "−": "-",
        "→": ">",
        "±": "+/-",
        "µ": "u",
        "·": "-",
        "…": "...",
        "×": "x",
        "∞": "inf",
        "γ": "gamma",
        "α": "alpha",
        "β": "beta",
        "◀": "<",
        "█": "#",
        "✓": "ok",
        "✗": "x",
        "\u00a0": " ",
    }
)
"""What stands for the symbols of the reports where an encoding lacks them."""


class UnfailingStream(io.TextIOBase):
    """A text stream around another one, or around none where its descriptor was closed.

    Characters that its encoding lacks are written out. After an error of the system, nothing more
    is written.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        """Why something could not be written; None while all was."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def write(self, text: str) -> int:
        """Write text, and return its length."""
        self._attempt(lambda: self._write(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what was written."""
        if self._stream is not None:
            self._attempt(self._stream.flush)

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self._stream is not None and not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor. Raises OSError where there is none."""
        return self._open_stream().fileno()

    def _open_stream(self) -> TextIO:
        if self._stream is None or self._stream.closed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._stream

    def _write(self, text: str) -> None:
        # Standard error has a way of its own with what its encoding lacks, and would raise nothing.
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            plain = text.translate(_IN_ASCII).encode(self.encoding, "backslashreplace")
            text = plain.decode(self.encoding)
        self._open_stream().write(text)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            action()
        except OSError as error:
            self.failure = error
            self._discard_the_rest()

    def _discard_the_rest(self) -> None:
        """Let what is left in the buffer go nowhere: the interpreter flushes it, and would fail."""
        with contextlib.suppress(OSError):
            number = self.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)


def install() -> None:
    """Make standard output and standard error unfailing until the process ends."""
    if not isinstance(sys.stdout, UnfailingStream):
        sys.stdout, sys.stderr = UnfailingStream(sys.stdout), UnfailingStream(sys.stderr)


@contextlib.contextmanager
def unfailing() -> Iterator[tuple[UnfailingStream, UnfailingStream]]:
    """Make standard output and standard error unfailing, and yield both."""
    before = sys.stdout, sys.stderr
    output, messages = UnfailingStream(sys.stdout), UnfailingStream(sys.stderr)
    sys.stdout, sys.stderr = output, messages
    try:
        yield output, messages
    finally:
        output.flush()
        messages.flush()
        sys.stdout, sys.stderr = before
