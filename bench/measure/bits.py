"""A set of sequence numbers that stores one bit per number."""

import zlib

import numpy as np

from bench.arrays import Flags, Integers

_VECTOR_FROM = 16
_SMALLEST = 1024


class Bits:
    """A set of non-negative integers, stored as one bit for each number up to the largest.

    ``packed`` is what ``pack`` returned; an empty value makes an empty set. Raises ValueError for
    what is none, and for a set that has a number which is not ``below``; memory is bounded by that.
    """

    def __init__(self, packed: bytes = b"", below: int | None = None) -> None:
        self._bytes = np.frombuffer(_unpacked(packed, below), np.uint8)

    def __len__(self) -> int:
        """Number of elements in the set."""
        return int(np.bitwise_count(self._bytes).sum())

    def add(self, numbers: Integers) -> Integers:
        """Adds the numbers (n,); returns those already in the set or repeated in the array."""
        if len(numbers) < _VECTOR_FROM:
            return self._add_singly(numbers)
        self._reserve(int(numbers.max()))
        unique, first = np.unique(numbers, return_index=True)
        indices = unique >> 3
        masks = np.left_shift(1, unique & 7).astype(np.uint8)
        present = (self._bytes[indices] & masks) != 0
        np.bitwise_or.at(self._bytes, indices, masks)
        repeated = np.ones(len(numbers), np.bool_)
        repeated[first[~present]] = False
        return numbers[repeated]

    def add_range(self, start: int, stop: int) -> None:
        """Adds all numbers in the half-open range from ``start`` to ``stop``."""
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
        """Returns an independent copy of the set."""
        duplicate = Bits()
        duplicate._bytes = self._bytes.copy()
        return duplicate

    def merge(self, other: "Bits") -> None:
        """Adds all numbers of another set, which stays unchanged."""
        if len(other._bytes):
            self._reserve(len(other._bytes) * 8 - 1)
            self._bytes[: len(other._bytes)] |= other._bytes

    def remove(self, other: "Bits") -> None:
        """Takes all numbers of another set out, which stays unchanged."""
        shared = min(len(self._bytes), len(other._bytes))
        self._bytes[:shared] &= ~other._bytes[:shared]

    def flags(self, start: int, stop: int) -> Flags:
        """Returns whether each number from ``start`` to ``stop`` (half-open) is in the set."""
        first = start >> 3
        bits = np.unpackbits(self._bytes[first : (stop + 7) >> 3], bitorder="little")
        flags = np.zeros(stop - start, np.bool_)
        stored = bits[start - (first << 3) :][: stop - start]
        flags[: len(stored)] = stored
        return flags

    def numbers(self) -> Integers:
        """Returns the elements (n,), ascending."""
        return np.flatnonzero(np.unpackbits(self._bytes, bitorder="little"))

    def pack(self) -> bytes:
        """Returns the set as compressed bytes, from which ``Bits(packed)`` restores it."""
        used = np.flatnonzero(self._bytes)
        end = int(used[-1]) + 1 if len(used) else 0
        return zlib.compress(self._bytes[:end].tobytes(), 1)

    def _reserve(self, number: int) -> None:
        if number >> 3 >= len(self._bytes):
            grown = np.zeros(max(_SMALLEST, (number >> 3) + 1, len(self._bytes) * 3 // 2), np.uint8)
            grown[: len(self._bytes)] = self._bytes
            self._bytes = grown

    def _add_singly(self, numbers: Integers) -> Integers:
        repeated = []
        stored = self._bytes
        for number in numbers.tolist():
            if number >> 3 >= len(stored):
                self._reserve(number)
                stored = self._bytes
            mask = 1 << (number & 7)
            byte = int(stored[number >> 3])
            if byte & mask:
                repeated.append(number)
            else:
                stored[number >> 3] = byte | mask
        return np.array(repeated, np.int64) if repeated else numbers[:0]


def _unpacked(packed: bytes, below: int | None) -> bytearray:
    if not packed:
        return bytearray()
    most = 0 if below is None else (below + 7) >> 3  # for the decompressor, 0 is no bound
    unpacker = zlib.decompressobj()
    try:
        stored = bytearray(unpacker.decompress(packed, most + 1 if below is not None else 0))
    except zlib.error as error:
        raise ValueError(f"not a set of numbers: {error}") from None
    is_beyond = below is not None and len(stored) * 8 > below
    if is_beyond and (len(stored) > most or stored[-1] >> (below or 0) % 8):
        raise ValueError(f"a set of numbers below {below} holds others")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("not a set of numbers: it has no end, or something after it")
    return stored
