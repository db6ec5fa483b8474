"""Reads many ids, or the stamps of many payloads, at once: the reverse of ``bench.wire.frames``."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Integers
from bench.wire import ids, stamps

_VECTOR_FROM = 16
_NO_STAMP = -1

_HEX_VALUES = np.full(256, -1, np.int64)
for _digit in range(16):
    _HEX_VALUES[ord(f"{_digit:x}")] = _digit
_SEQUENCE_WEIGHTS = 16 ** np.arange(ids.SEQUENCE_DIGITS - 1, -1, -1, dtype=np.int64)
_PRODUCER_WEIGHTS = np.array([256, 16, 1], np.int64)
_STAMP_WEIGHTS = 10 ** np.arange(stamps.DIGITS - 1, -1, -1, dtype=np.int64)
_PRODUCER = slice(15, 18)
_SEQUENCE = slice(ids.SEQUENCE_START, ids.ID_LENGTH)
_DUE = slice(stamps.DUE_START, stamps.DUE_START + stamps.DIGITS)
_SENT = slice(stamps.SENT_START, stamps.HEAD_LENGTH)
_HEAD = np.frombuffer(stamps.head(stamps.MAX_US, stamps.MAX_US), np.uint8)


@dataclass(frozen=True)
class IdColumns:
    """Producer and sequence number of each id (n,); both are -1 for an id of another run."""

    producer: Integers
    sequence: Integers

    @property
    def all_ours(self) -> bool:
        """Whether every id belongs to the run."""
        return not len(self.producer) or int(self.producer.min()) >= 0


@dataclass(frozen=True)
class StampColumns:
    """Due time and sending time of each payload (n,) in µs; both are -1 if it has no stamps."""

    due_us: Integers
    sent_us: Integers


def read_ids(task_ids: Sequence[bytes], run: int | None) -> IdColumns:
    """Returns the producers and sequence numbers of the ids of one run, or of any if it is None."""
    if len(task_ids) >= _VECTOR_FROM and set(map(len, task_ids)) == {ids.ID_LENGTH}:
        columns = np.frombuffer(b"".join(task_ids), np.uint8).reshape(-1, ids.ID_LENGTH)
        # For any run, the vectors read ids of the first id's run; others are parsed one by one.
        prefix = bytes(task_ids[0]) if run is None else ids.prefix(run, 0).encode()
        expected = np.frombuffer(prefix, np.uint8)[: ids.SEQUENCE_START]
        same = columns[:, : ids.SEQUENCE_START] == expected
        same[:, _PRODUCER] = True
        if run is None and ids.parse_id(task_ids[0].decode("ascii", "replace")) is None:
            same[:] = False
        digits = _HEX_VALUES[columns[:, _SEQUENCE]]
        producers = _HEX_VALUES[columns[:, _PRODUCER]]
        if same.all() and digits.min() >= 0 and producers.min() >= 0:
            return IdColumns(producers @ _PRODUCER_WEIGHTS, digits @ _SEQUENCE_WEIGHTS)
    parsed = [ids.parse_id(task_id.decode("ascii", "replace")) for task_id in task_ids]
    ours = [each if each is not None and run in (None, each.run) else None for each in parsed]
    return IdColumns(
        np.array([-1 if each is None else each.producer for each in ours], np.int64),
        np.array([-1 if each is None else each.sequence for each in ours], np.int64),
    )


def read_stamps(payloads: Sequence[bytes]) -> StampColumns:
    """Returns the stamps at the head of each payload."""
    length = stamps.HEAD_LENGTH
    if len(payloads) >= _VECTOR_FROM and min(map(len, payloads)) > length:
        heads = b"".join([payload[: length + 1] for payload in payloads])
        columns = np.frombuffer(heads, np.uint8).reshape(-1, length + 1)
        after = columns[:, length]
        same = columns[:, :length] == _HEAD
        same[:, _DUE] = same[:, _SENT] = True
        digits = columns.astype(np.int64) - ord("0")
        due, sent = digits[:, _DUE], digits[:, _SENT]
        ends = not ((after >= ord("0")) & (after <= ord("9"))).any()
        if ends and same.all() and _are_digits(due) and _are_digits(sent):
            return StampColumns(due @ _STAMP_WEIGHTS, sent @ _STAMP_WEIGHTS)
    pairs = [stamps.read(payload) or (_NO_STAMP, _NO_STAMP) for payload in payloads]
    columns_of_pairs = np.array(pairs, np.int64).reshape(-1, 2)
    return StampColumns(columns_of_pairs[:, 0].copy(), columns_of_pairs[:, 1].copy())


def _are_digits(digits: Integers) -> bool:
    return bool(digits.min() >= 0 and digits.max() <= 9)
