"""Reads the columns of a trace file, a block of rows at a time, into arrays."""

import csv
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench.arrays import Floats, Integers
from bench.errors import ScenarioError, UsageError, nearest, quoted
from bench.names import require_queue_name
from bench.workload.payload import MAX_SIZE
from bench.workload.quantities import MOST_DURATION, MOST_DURATION_S
from bench.workload.queue_weights import MOST_QUEUES

_NAMES: Mapping[str, Sequence[str]] = {
    "time": ("time_s", "time", "timestamp"),
    "rate": ("rate_per_s", "rate"),
    "queue": ("queue",),
    "size": ("size", "size_bytes", "bytes"),
}
"""What a column may be called."""
_BLOCK = 100_000
"""Rows that are held as text at a time."""
_MOST_RATE = 1e7
_LIMITS: Mapping[str, tuple[float, float]] = {
    "time": (-1e12, 1e12),
    "rate": (0, _MOST_RATE),
    "size": (0, MAX_SIZE),
}
"""The least and the greatest value of a column of numbers."""
MOST_ROWS = 100_000_000
"""Each takes up to 16 bytes in every process that reads the trace."""


_Line = tuple[int, list[str]]
"""The number of a line and its cells."""


@dataclass(frozen=True)
class TraceColumns:
    """The columns of a trace (n,). Times are in seconds from the first row, in order."""

    times_s: Floats
    rates: Floats | None = None
    """Tasks per second; None where each row is a task."""
    queues: Integers | None = None
    """Index of each task's sub-queue among ``names``; None without that column."""
    names: Sequence[str] = ()
    sizes: Integers | None = None
    """Bytes of each task's payload; None without that column."""


def read_columns(path: Path) -> TraceColumns:
    """Returns the columns of a CSV file with a header; other columns than ours are passed over.

    Raises ScenarioError that names the file, and the line and the column where one is at fault.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _Reading(path, csv.reader(file)).all()
    except OSError as error:
        raise ScenarioError(f"trace {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"trace {path}: not UTF-8: {error.reason}") from None
    except csv.Error as error:
        raise ScenarioError(f"trace {path}: not CSV: {error}") from None


def names_queues(written: object) -> bool:
    """Returns whether a trace has a column of queues; False where its header cannot be read."""
    try:
        with Path(str(written)).open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, ValueError, csv.Error):
        return False
    return any(name.strip() in _NAMES["queue"] for name in header)


class _Reading:
    """One pass over a trace file."""

    def __init__(self, path: Path, reader: Any) -> None:
        self._path = path
        self._reader = reader
        self._header = [name.strip() for name in next(reader, [])]
        self._places = _places(path, self._header)
        self._names: dict[str, int] = {}
        self._parsers: dict[str, Callable[[str], float]] = {
            "time": _number,
            "rate": _rate,
            "queue": self._queue,
            "size": _size,
        }

    def all(self) -> TraceColumns:
        blocks: dict[str, list[Any]] = {role: [] for role in self._places}
        count, last_s = 0, -np.inf
        while rows := list(itertools.islice(self._reader, _BLOCK)):
            line = self._reader.line_num - len(rows) + 1
            numbered = [(line + index, row) for index, row in enumerate(rows) if row]
            for role, block in self._block(numbered, is_first=not count).items():
                blocks[role].append(block)
            times_s = blocks["time"][-1]
            self._require_order(times_s, last_s, numbered)
            count += len(times_s)
            last_s = times_s[-1] if len(times_s) else last_s
            if count > MOST_ROWS:
                raise ScenarioError(f"trace {self._path}: more than {MOST_ROWS:,} rows")
        if not count:
            raise ScenarioError(f"trace {self._path}: holds no row below its header")
        whole = {role: np.concatenate(each) for role, each in blocks.items()}
        times_s = whole["time"] - whole["time"][0]
        if times_s[-1] > MOST_DURATION_S:
            raise ScenarioError(f"trace {self._path}: it is too long: at most {MOST_DURATION}")
        return TraceColumns(
            times_s, whole.get("rate"), whole.get("queue"), [*self._names], whole.get("size")
        )

    def _block(self, numbered: Sequence[_Line], *, is_first: bool) -> dict[str, Any]:
        """Returns an array for each column of a block of rows."""
        for number, row in numbered:
            if len(row) != len(self._header):
                raise ScenarioError(
                    f"trace {self._path}, line {number}: {len(row)} cells under "
                    f"{len(self._header)} columns"
                )
        columns = list(zip(*(row for _, row in numbered), strict=True)) or [()] * len(self._header)
        if is_first and numbered and not _is_number(columns[self._places["time"]][0]):
            self._parsers["time"] = _timestamp
        return {
            role: self._column(role, columns[place], numbered)
            for role, place in self._places.items()
        }

    def _column(self, role: str, cells: Sequence[str], numbered: Sequence[_Line]) -> Any:
        """Returns the values of a column. Raises ScenarioError for a cell that cannot be read."""
        is_whole = role in ("queue", "size")
        try:
            if role == "queue":
                return np.array([self._names[cell] for cell in cells], np.int32)
            if self._parsers[role] is _timestamp:
                return np.array([_timestamp(cell) for cell in cells])
            values = np.array(cells, np.int64 if is_whole else np.float64)
            least, most = _LIMITS[role]
            if np.all((values >= least) & (values <= most)):
                return values.astype(np.int32) if is_whole else values
        except (KeyError, ValueError, OverflowError, UsageError):
            pass  # a name that is new, or a cell that is at fault: they are looked at one by one
        self._refuse(numbered, role)
        return np.array(
            [self._parsers[role](cell) for cell in cells], np.int32 if is_whole else None
        )

    def _refuse(self, numbered: Sequence[_Line], role: str) -> None:
        """Raises ScenarioError for the first cell of that column that cannot be read."""
        place = self._places[role]
        for number, row in numbered:
            try:
                self._parsers[role](row[place])
            except (ValueError, UsageError) as error:
                raise self._fault(number, role, str(error)) from None

    def _fault(self, line: int, role: str, what: str) -> ScenarioError:
        name = self._header[self._places[role]]
        return ScenarioError(f"trace {self._path}, line {line}, column {name!r}: {what}")

    def _require_order(self, times_s: Floats, last_s: float, numbered: Sequence[_Line]) -> None:
        before = np.concatenate([[last_s], times_s])[: len(times_s)]
        is_wrong = times_s <= before if "rate" in self._places else times_s < before
        if is_wrong.any():
            where, _ = numbered[int(is_wrong.argmax())]
            how = "does not increase" if "rate" in self._places else "goes back"
            raise self._fault(where, "time", f"it {how}")

    def _queue(self, cell: str) -> int:
        index = self._names.get(cell)
        if index is None:
            require_queue_name(cell)
            if len(self._names) == MOST_QUEUES:
                raise UsageError(f"more than {MOST_QUEUES} queues")
            index = self._names[cell] = len(self._names)
        return index


def _places(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Returns the place of each column that is there. Raises ScenarioError without those of one
    of the two kinds."""
    places = {}
    for role, names in _NAMES.items():
        found = [place for place, name in enumerate(header) if name in names]
        if len(found) > 1:
            both = " and ".join(repr(header[place]) for place in found)
            raise ScenarioError(f"trace {path}: {both} are both a column of the {role}")
        if found:
            places[role] = found[0]
    if "time" not in places:
        hint = nearest(header[0], _NAMES["time"]) if header else ""
        raise ScenarioError(f"trace {path}: no column 'time_s' or 'timestamp'{hint}")
    tasks = [name for name in ("queue", "size") if name in places]
    if "rate" in places and tasks:
        raise ScenarioError(
            f"trace {path}: it has rates, and a {tasks[0]} for each task: remove one of the two"
        )
    return places


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        raise UsageError(f"{quoted(cell)} is not a number") from None
    if not abs(number) < 1e12:
        raise UsageError(f"{quoted(cell)} is out of range")
    return number


def _timestamp(cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise UsageError(
            f"{quoted(cell)} is no time: write seconds, or as in 2026-01-15T09:30:00.250Z"
        ) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _rate(cell: str) -> float:
    number = _number(cell)
    if not 0 <= number <= _MOST_RATE:
        raise UsageError(f"{quoted(cell)} is out of range: a rate is from 0 to 10,000,000/s")
    return number


def _size(cell: str) -> int:
    try:
        size = int(cell)
    except ValueError:
        raise UsageError(f"{quoted(cell)} is not a whole number of bytes") from None
    if not 0 <= size <= MAX_SIZE:
        raise UsageError(f"{quoted(cell)} is out of range: a payload has at most 64 MiB")
    return size
