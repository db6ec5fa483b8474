"""Counts of events in rows of ten milliseconds, which runs with faults need; no I/O.

A fault interrupts a run for a fraction of a second, and a row of a second cannot show for how long.
Rows are kept in pieces of ten seconds, and only those in which anything happened. A piece is packed
again only when it has changed, so the cumulative reports of a long run cost little.
"""

import zlib
from array import array
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from bench.arrays import Integers, distinct
from bench.measure.recorder import BIN_US, LAST_BIN

ROW_US = 10_000
"""Width of a row."""
_PIECE = 1000
"""Rows that are kept and packed together."""
_LAST_ROW = (LAST_BIN + 1) * BIN_US // ROW_US - 1
_WIDTH = np.dtype("<i8").itemsize

PackedRows = dict[int, bytes]
"""Packed pieces by their number, as ``RowCounts.pack`` makes and ``unpacked_rows`` reads them."""


class RowCounts:
    """Counts events, or adds up values, per row of the run."""

    def __init__(self) -> None:
        self._pieces: dict[int, Integers] = {}
        self._packed: PackedRows = {}

    def add(self, offset_us: int, count: int) -> None:
        """Counts events at one moment, in µs after the run's start."""
        row = min(max(offset_us // ROW_US, 0), _LAST_ROW)
        number = row // _PIECE
        self._piece(number)[row - number * _PIECE] += count

    def add_many(self, offsets_us: Integers, values: Integers | None = None) -> None:
        """Adds these values (n,), or one for each, at these moments (n,) in µs after the start."""
        rows = np.clip(offsets_us // ROW_US, 0, _LAST_ROW)
        numbers = rows // _PIECE
        for number in distinct(numbers):
            chosen = numbers == number
            added = 1 if values is None else values[chosen]
            np.add.at(self._piece(number), rows[chosen] - number * _PIECE, added)

    def pack(self) -> PackedRows:
        """Returns the counts so far, packed; the mapping may grow with later calls."""
        for number, piece in self._pieces.items():
            if number not in self._packed:
                self._packed[number] = zlib.compress(piece.astype("<i8").tobytes(), 1)
        return self._packed

    def _piece(self, number: int) -> Integers:
        """A piece that is about to change."""
        self._packed.pop(number, None)
        piece = self._pieces.get(number)
        if piece is None:
            piece = self._pieces[number] = np.zeros(_PIECE, np.int64)
        return piece


def unpacked_rows(packed: Mapping[int, bytes], rows: int) -> Integers:
    """Returns the counts of the first ``rows`` rows (rows,) of the run.

    Raises ValueError for what no ``RowCounts`` has packed; memory is bounded by the rows.
    """
    counts = np.zeros(rows, np.int64)
    for number, data in packed.items():
        piece = _unpacked(number, data)
        start = number * _PIECE
        if start < rows:
            counts[start : start + _PIECE] = piece[: rows - start]
    return counts


def rows_of(packed: Mapping[int, bytes]) -> int:
    """Returns the number of rows, from the start on, that hold everything."""
    return (max(packed, default=-1) + 1) * _PIECE


def _unpacked(number: int, data: bytes) -> Integers:
    if not 0 <= number <= _LAST_ROW // _PIECE:
        raise ValueError(f"it has rows in a piece {number}, which no run has")
    unpacker = zlib.decompressobj()
    try:
        raw = unpacker.decompress(data, _PIECE * _WIDTH + 1)
    except zlib.error as error:
        raise ValueError(f"its rows cannot be unpacked: {error}") from None
    if len(raw) != _PIECE * _WIDTH or not unpacker.eof or unpacker.unused_data:
        raise ValueError("its rows have another length")
    return np.frombuffer(raw, "<i8").astype(np.int64)


class FirstAnswers(msgspec.Struct):
    """For each row in which a producer got replies, the least sequence number among them."""

    rows: bytes = b""
    """Numbers of the rows, ascending, as 64-bit integers of this machine."""
    sequences: bytes = b""

    def latest_row_of(self, sequences: Integers) -> Integers:
        """Returns, for tasks (n,) that were answered, the last row (n,) in which each may have
        been: the last one with a reply to this task or an earlier one. -1 where there is none.

        On one connection replies come in the order of the tasks, which makes it the very row.
        """
        rows, first = np.frombuffer(self.rows, np.int64), np.frombuffer(self.sequences, np.int64)
        if not len(rows):
            return np.full(len(sequences), -1)
        least_from = np.minimum.accumulate(first[::-1])[::-1]
        index = np.searchsorted(least_from, sequences, side="right") - 1
        return np.where(index >= 0, rows[np.maximum(index, 0)], -1)


class AnswerRows:
    """Notes the replies to one producer's tasks, in the order in which they come."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._sequences = array("q")

    def add(self, offset_us: int, sequence: int) -> None:
        """Note replies at one moment, in µs after the start; ``sequence`` is the least of them."""
        row = max(offset_us // ROW_US, 0)
        if self._rows and self._rows[-1] >= row:
            self._sequences[-1] = min(self._sequences[-1], sequence)
            return
        self._rows.append(row)
        self._sequences.append(sequence)

    def packed(self) -> FirstAnswers:
        """Returns what was noted."""
        return FirstAnswers(self._rows.tobytes(), self._sequences.tobytes())


def added_rows(parts: Sequence[Mapping[int, bytes]], rows: int) -> Integers:
    """Returns the sum (rows,) of the counts of several processes."""
    total = np.zeros(rows, np.int64)
    for each in parts:
        total += unpacked_rows(each, rows)
    return total
