"""A set of sequence numbers at one bit each."""

import zlib

import numpy as np

from bench.arrays import Flags, Integers

_VECTOR_FROM = 16
_SMALLEST = 1024


class Bits:
    """A set of whole numbers from zero up, which grows as they do."""

    def __init__(self, packed: bytes = b"") -> None:
        self._bytes = np.frombuffer(bytearray(zlib.decompress(packed) if packed else b""), np.uint8)

    def __len__(self) -> int:
        """How many numbers are in the set."""
        return int(np.bitwise_count(self._bytes).sum())

    def add(self, numbers: Integers) -> Integers:
        """Put the numbers (n,) in; return those that were in already, or came twice."""
        if len(numbers) < _VECTOR_FROM:
            return self._add_singly(numbers)
        self._reserve(int(numbers.max()))
        unique, first = np.unique(numbers, return_index=True)
        places = unique >> 3
        masks = np.left_shift(1, unique & 7).astype(np.uint8)
        present = (self._bytes[places] & masks) != 0
        np.bitwise_or.at(self._bytes, places, masks)
        repeated = np.ones(len(numbers), np.bool_)
        repeated[first[~present]] = False
        return numbers[repeated]

    def add_range(self, start: int, stop: int) -> None:
        """Put all numbers from ``start`` up to, not including, ``stop`` in."""
        if stop <= start:
            return
        self._reserve(stop - 1)
        first, last = start >> 3, (stop - 1) >> 3
        head, tail = 0xFF << (start & 7) & 0xFF, 0xFF >> (7 - ((stop - 1) & 7))
        if first == last:
            self._bytes[first] |= head & tail
            return
        self._bytes[first] |= head
        self._bytes[first + 1 : last] = 0xFF
        self._bytes[last] |= tail

    def copy(self) -> "Bits":
        """A set of its own with the same numbers."""
        own = Bits()
        own._bytes = self._bytes.copy()
        return own

    def merge(self, other: "Bits") -> None:
        """Put all numbers of another set in."""
        if len(other._bytes):
            self._reserve(len(other._bytes) * 8 - 1)
            self._bytes[: len(other._bytes)] |= other._bytes

    def flags(self, start: int, stop: int) -> Flags:
        """For each number from ``start`` up to, not including, ``stop``: whether it is in."""
        first = start >> 3
        bits = np.unpackbits(self._bytes[first : (stop + 7) >> 3], bitorder="little")
        flags = np.zeros(stop - start, np.bool_)
        known = bits[start - (first << 3) :][: stop - start]
        flags[: len(known)] = known
        return flags

    def pack(self) -> bytes:
        """Compressed bytes, which ``Bits(...)`` takes."""
        return zlib.compress(self._bytes.tobytes(), 1)

    def _reserve(self, number: int) -> None:
        if number >> 3 >= len(self._bytes):
            grown = np.zeros(max(_SMALLEST, (number >> 3) + 1, len(self._bytes) * 3 // 2), np.uint8)
            grown[: len(self._bytes)] = self._bytes
            self._bytes = grown

    def _add_singly(self, numbers: Integers) -> Integers:
        present = []
        held_bytes = self._bytes
        for number in numbers.tolist():
            if number >> 3 >= len(held_bytes):
                self._reserve(number)
                held_bytes = self._bytes
            mask = 1 << (number & 7)
            held = int(held_bytes[number >> 3])
            if held & mask:
                present.append(number)
            else:
                held_bytes[number >> 3] = held | mask
        return np.array(present, np.int64) if present else numbers[:0]
