"""Encodings that are damaged or made to do harm: refused in bounded time and memory."""

import base64
import struct
import tracemalloc
import zlib

import pytest

from bench.measure.histogram import HIGHEST_US, Histogram, decode

COOKIE, ENVELOPE = 0x1C849313, 0x1C849314


def encoding(payload: bytes, envelope: int = ENVELOPE, level: int = 9) -> str:
    """A payload in the envelope of the V2 encoding."""
    packed = zlib.compress(payload, level)
    return base64.b64encode(struct.pack(">II", envelope, len(packed)) + packed).decode()


def header(length: int, digits: int = 3, highest: int = HIGHEST_US, cookie: int = COOKIE) -> bytes:
    return struct.pack(">IIIIQQd", cookie, length, 0, digits, 1, highest, 1.0)


def valid() -> str:
    histogram = Histogram()
    histogram.record(1234, 5)
    return histogram.encode()


def test_a_payload_that_unpacks_to_hundreds_of_megabytes_takes_no_memory() -> None:
    block, packer = bytes(1 << 20), zlib.compressobj(9)
    parts = [packer.compress(header(1 << 28))]
    parts += [packer.compress(block) for _ in range(1 << 8)]
    packed = b"".join([*parts, packer.flush()])
    text = base64.b64encode(struct.pack(">II", ENVELOPE, len(packed)) + packed).decode()
    del block
    tracemalloc.start()
    with pytest.raises(ValueError, match="length"):
        decode(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "length is wrong"),
        ("é", "not a histogram"),
        ("A", "not a histogram"),
        ("A" * 1_000_000, "1000000 characters"),
        (valid()[:-8], "length is wrong|not a histogram"),
        (encoding(b""), "length is wrong"),
        (encoding(header(0, digits=5)), "range or precision"),
        (encoding(header(0, highest=1 << 62)), "range or precision"),
        (encoding(header(0, digits=400)), "range or precision"),
        (encoding(header(1 << 31)), "length is wrong"),
        (encoding(header(0, cookie=1)), "not a histogram"),
        (encoding(header(0), envelope=1), "not a histogram"),
        (encoding(header(9) + b"\xff" * 9), "not a histogram"),
        (encoding(header(9) + b"\xfe" + b"\xff" * 8), "more samples"),
        (encoding(header(18) + (b"\xfe" + b"\xff" * 8) * 2), "more samples"),
    ],
)
def test_a_damaged_encoding_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        decode(text)


def test_an_encoding_without_counts_is_a_histogram_without_samples() -> None:
    assert decode(encoding(header(0))).count == 0


def test_samples_that_cannot_be_compressed_are_read() -> None:
    """The bound on an encoding's length leaves room for every histogram that there can be."""
    histogram = Histogram()
    for bucket in range(21):
        for number in range(0, 1024, 3):
            histogram.record((1024 + number) << bucket, 1 + (number * 7919) % (1 << 30))
    read = decode(histogram.encode())
    assert read.counts.tolist() == histogram.counts.tolist()
