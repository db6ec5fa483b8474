"""The content of each task's payload after its stamps.

A payload is ``{"due_us":…,"sent_us":…,"data":"…"}``. ``bench.wire`` writes the stamps; this module
makes the rest: filler of a size drawn for the task, or the content of a line of a JSONL file.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from bench.arrays import Integers
from bench.errors import ScenarioError
from bench.reading import read_file
from bench.wire import stamps
from bench.wire.frames import Bodies
from bench.workload.distribution import Distribution
from bench.workload.draws import uniform

PayloadContent = Literal["letters", "binary"]

MIN_SIZE = stamps.HEAD_LENGTH + 1
"""Size of the smallest payload in bytes: the stamps and the closing brace."""
MAX_SIZE = 64 * 1024 * 1024
_MOST_FILE_BYTES = 64 << 20
"""Size of the largest file of payloads: their lines are kept in memory."""

_OPEN, _CLOSE = b',"data":"', b'"}'
_SMALLEST_FILLED = len(_OPEN) + len(_CLOSE)
_LETTERS = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", np.uint8
)
_ANY_BYTES = np.arange(256, dtype=np.uint8)
_POOL = 1 << 16


class Filler:
    """Fills payloads with seeded letters, or any bytes, up to the size drawn for each task."""

    def __init__(
        self,
        size: Distribution,
        seed: int,
        content: PayloadContent = "letters",
        sizes: Integers | None = None,
    ) -> None:
        """``sizes`` (n,) are those of the tasks by their number, in place of drawn ones."""
        self._size = size
        self._sizes = sizes
        self._seed = seed
        longest = int(size.mean) if size.is_fixed else _POOL
        alphabet = _LETTERS if content == "letters" else _ANY_BYTES
        choice = uniform(seed, "letters", np.arange(_POOL + longest)) * len(alphabet)
        self._pool = alphabet[choice.astype(np.int64)]
        self._pool_bytes = self._pool.tobytes()

    def bodies(self, numbers: Integers) -> Bodies:
        """Returns the bodies of the tasks with these numbers (n,).

        They are an array (n, length) where all sizes are the same, else a list.
        """
        starts = (uniform(self._seed, "content", numbers) * _POOL).astype(np.int64)
        if self._sizes is None and self._size.is_fixed:
            return self._equal_bodies(starts, int(self._size.mean) - stamps.HEAD_LENGTH)
        if self._sizes is None:
            drawn = self._size.draw(self._seed, "size", numbers)
        else:
            drawn = self._sizes[numbers].astype(np.float64)
        sizes = np.clip(drawn, MIN_SIZE, MAX_SIZE)
        lengths = np.rint(sizes).astype(np.int64) - stamps.HEAD_LENGTH
        return [
            self._body(start, length)
            for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        ]

    def _equal_bodies(self, starts: Integers, length: int) -> Bodies:
        bodies = np.empty((len(starts), length), np.uint8)
        if length < _SMALLEST_FILLED:
            bodies[:] = np.frombuffer(self._body(0, length), np.uint8)
            return bodies
        letters = length - _SMALLEST_FILLED
        bodies[:, : len(_OPEN)] = np.frombuffer(_OPEN, np.uint8)
        bodies[:, len(_OPEN) + letters :] = np.frombuffer(_CLOSE, np.uint8)
        if letters:
            windows = np.lib.stride_tricks.sliding_window_view(self._pool, letters)
            bodies[:, len(_OPEN) : len(_OPEN) + letters] = windows[starts]
        return bodies

    def _body(self, start: int, length: int) -> bytes:
        letters = length - _SMALLEST_FILLED
        if letters < 0:  # no room for a member: white space is valid JSON there
            return b" " * (length - 1) + b"}"
        whole, part = divmod(letters, _POOL)
        text = self._pool_bytes[:_POOL] * whole + self._pool_bytes[start : start + part]
        return b"%b%b%b" % (_OPEN, text, _CLOSE)


class Lines:
    """Uses the lines of a JSONL file in turn; a task's line depends only on its number."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self._bodies = bodies

    def bodies(self, numbers: Integers) -> Bodies:
        """Returns the bodies of the tasks with these numbers (n,), as a list."""
        return [self._bodies[number] for number in (numbers % len(self._bodies)).tolist()]


def read_lines(path: Path) -> Lines:
    """Returns payloads from a file with one JSON object per line; blank lines are skipped.

    Raises ScenarioError that names the file, and the line where one is at fault.
    """
    try:
        text = read_file(path, _MOST_FILE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise ScenarioError(f"payload_file {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"payload_file {path}: not UTF-8 at byte {error.start}") from None
    lines = enumerate(text.split("\n"), start=1)
    bodies = [_body_of(line, f"{path}, line {number}") for number, line in lines if line.strip()]
    if not bodies:
        raise ScenarioError(
            f"payload_file {path}: holds no payload; write one JSON object per line"
        )
    return Lines(bodies)


def _body_of(line: str, where: str) -> bytes:
    try:
        value = json.loads(line, parse_constant=_refuse_constant)
    except RecursionError:
        raise ScenarioError(f"payload_file {where}: nested too deeply") from None
    except ValueError as error:
        raise ScenarioError(f"payload_file {where}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise ScenarioError(f"payload_file {where}: a payload must be a JSON object")
    taken = [name for name in stamps.RESERVED_NAMES if name in value]
    if taken:
        raise ScenarioError(f"payload_file {where}: {taken[0]!r} is a stamp of bench; rename it")
    inside = line.strip()[1:].lstrip()
    return (inside if not value else "," + inside).encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")
