"""Standard output and standard error never end what writes to them."""

import errno
import io
import os
import sys

import pytest

from bench.reports.streams import UnfailingStream, unfailing


def encoded(encoding: str, errors: str = "strict") -> tuple[io.BytesIO, UnfailingStream]:
    """What is written, and a stream that writes it in an encoding."""
    written = io.BytesIO()
    inner = io.TextIOWrapper(written, encoding=encoding, errors=errors, newline="\n")
    return written, UnfailingStream(inner)


@pytest.mark.parametrize("errors", ["strict", "backslashreplace"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", b"plain"),
        ("+2% ± 1 µs → 3", b"+2% +/- 1 us > 3"),
        ("queue_日本", rb"queue_\u65e5\u672c"),
        ("p\udcffq", rb"p\udcffq"),
    ],
)
def test_what_an_encoding_lacks_is_written_out(text: str, expected: bytes, errors: str) -> None:
    """Also on standard error, which by itself writes ``\\xb5s`` for µs."""
    written, stream = encoded("ascii", errors)
    assert stream.write(text) == len(text)
    stream.flush()
    assert written.getvalue() == expected
    assert stream.failure is None


def test_a_name_that_is_no_utf_8_is_written_out() -> None:
    written, stream = encoded("utf-8")
    stream.write("± \udcff")
    stream.flush()
    assert written.getvalue().endswith(rb" \udcff")


def test_a_reader_that_has_gone_is_remembered_once_and_disturbs_nobody() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as inner:
        stream = UnfailingStream(inner)
        for _ in range(3):
            stream.write("line\n" * 10_000)
            stream.flush()
        assert isinstance(stream.failure, BrokenPipeError)
    # Leaving the block flushed the rest, which went nowhere.


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_closed_stream_takes_text_and_tells_why_it_is_lost(is_closed: bool) -> None:
    inner = io.StringIO() if is_closed else None
    if inner is not None:
        inner.close()
    stream = UnfailingStream(inner)
    stream.flush()
    assert stream.write("text") == 4
    assert stream.failure is not None
    assert stream.failure.errno == errno.EBADF
    assert not stream.isatty()


def test_the_streams_of_the_process_are_restored() -> None:
    before = sys.stdout, sys.stderr
    with unfailing() as (output, messages):
        assert (sys.stdout, sys.stderr) == (output, messages)
    assert (sys.stdout, sys.stderr) == before
