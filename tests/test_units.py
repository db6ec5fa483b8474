"""Durations, rates and sizes, as text and as numbers."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import units
from bench.errors import UsageError

ASCII_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("20s", 20.0),
        ("1m30s", 90.0),
        ("1h1m1s", 3661.0),
        ("500ms", 0.5),
        ("1s500ms", 1.5),
        ("250us", 250e-6),
        ("250µs", 250e-6),
        ("1.5s", 1.5),
        (".5s", 0.5),
        ("2 s", 2.0),
        ("1m 30s", 90.0),
        ("0s", 0.0),
        ("2.0 min", 120.0),
        ("7d", 604_800.0),
        ("250\N{GREEK SMALL LETTER MU}s", 250e-6),
        ("0", 0.0),
        ("0.0", 0.0),
        (0, 0.0),
    ],
)
def test_a_duration_is_read_in_seconds(text: str | float, seconds: float) -> None:
    assert units.parse_duration(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", " ", "s", "20x", "20 parsecs", "-5s", "1m30", "1e3s", "5s junk", "s5", "1..5s"]
)
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not a duration: write for example 500ms, 20s"):
        units.parse_duration(text)


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("50", "'50' has no unit: write 50ms or 50s"),
        (" 0.25 ", "' 0.25 ' has no unit: write 0.25ms or 0.25s"),
        (50, '50 has no unit: write for example "500ms", "20s" or "1m30s"'),
        (0.25, "0.25 has no unit"),
        (-1, "-1 has no unit"),
        (float("inf"), "inf has no unit"),
        (10**400, "has no unit"),
        ("1" * 400, "has no unit: write NUMBERms or NUMBERs"),
    ],
)
def test_a_duration_without_a_unit_is_refused_as_it_could_be_meant_in_several(
    written: str | float, cure: str
) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_duration(written)
    assert cure in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ("5000/s", 5000.0),
        ("5000", 5000.0),
        ("5k/s", 5000.0),
        ("5K/S", 5000.0),
        ("1.5k", 1500.0),
        ("2M/s", 2e6),
        ("300/min", 5.0),
        ("300/m", 5.0),
        ("7200/h", 2.0),
        ("10/sec", 10.0),
        (" 10 / s ", 10.0),
        ("0/s", 0.0),
        (300, 300.0),
        (0.5, 0.5),
    ],
)
def test_a_rate_is_read_in_tasks_a_second(text: str | float, per_second: float) -> None:
    assert units.parse_rate(text) == pytest.approx(per_second, rel=1e-12)


@pytest.mark.parametrize(
    "text", ["", "fast", "-1/s", "5/", "5/day", "5 per s", "5g/s", "2m/s", "1,000/s"]
)
def test_what_is_no_rate_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not a rate: write for example 5000/s"):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("256B", 256),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("1.5KiB", 1536),
        ("2MB", 2_000_000),
        ("2MiB", 2_097_152),
        (" 64 b ", 64),
        ("500 MB", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("2GiB", 2**31),
        ("1TB", 10**12),
    ],
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize("text", ["", "big", "-1B", "1 2", "1e3B", "0x10B", "1PB"])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="is not a size: write for example 256"):
        units.parse_size(text)


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("256", "'256' has no unit: write 256B or 256kB"),
        ("1k", "'1k' has no unit: write 1KB or 1KiB"),
        ("4G", "'4G' has no unit: write 4GB or 4GiB"),
        (64, '64 has no unit: write for example "256B", "1kB" or "1KiB"'),
    ],
)
def test_a_size_without_a_unit_is_refused_as_it_could_be_meant_in_several(
    written: str | int, cure: str
) -> None:
    with pytest.raises(UsageError) as caught:
        units.parse_size(written)
    assert str(caught.value) == cure


@pytest.mark.parametrize(
    ("text", "size"), [("900", 900), ("1.2", 1), ("1kB", 1000), ("2 MiB", 2**21)]
)
def test_what_is_called_a_number_of_bytes_needs_no_unit(text: str, size: int) -> None:
    assert units.parse_bytes(text) == size


@pytest.mark.parametrize(("text", "share"), [("5%", 0.05), ("0.05", 0.05), (" 100 % ", 1.0)])
def test_a_share_is_a_percentage_or_a_number_below_one(text: str, share: float) -> None:
    assert units.parse_share(text) == share


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        ("5", "'5' has no unit: write 5% for a percentage"),
        ("1", "'1' has no unit: write 1% for a percentage"),
        ("101%", "'101%' is not a share: it is over 100%"),
        ("0", "'0' is not a share"),
        ("1e-3", "'1e-3' is not a share"),
        ("-5%", "'-5%' is not a share"),
    ],
)
def test_what_may_be_a_percentage_or_a_multiple_is_no_share(text: str, cure: str) -> None:
    with pytest.raises(UsageError, match=f"^{cure}"):
        units.parse_share(text)


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(UsageError, match="it must be finite"):
        units.parse_rate(number)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (units.parse_duration, "9" * 400 + "s"),
        (units.parse_duration, "9" * 308 + "h"),
        (units.parse_rate, "9" * 400),
        (units.parse_rate, "9" * 308 + "M/s"),
        (units.parse_size, "9" * 400 + "B"),
        (units.parse_size, "9" * 308 + "MiB"),
    ],
)
def test_a_text_too_large_for_a_number_is_refused(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(UsageError, match="it must be finite"):
        read(text)


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_whole_number_too_large_for_arithmetic_is_refused(digits: int) -> None:
    with pytest.raises(UsageError, match="it is too large"):
        units.parse_rate(10**digits)


@pytest.mark.parametrize(
    ("read", "text"), [(units.parse_duration, "3651d"), (units.parse_size, "2000000 TiB")]
)
def test_what_nobody_can_mean_is_refused(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(UsageError, match="it must be at most"):
        read(text)


@pytest.mark.parametrize("read", [units.parse_duration, units.parse_rate, units.parse_size])
@given(text=ASCII_TEXT)
def test_any_ascii_text_is_read_as_a_number_not_below_zero_or_refused(
    read: Callable[[str], float], text: str
) -> None:
    try:
        number = read(text)
    except UsageError as error:
        number, message = 0, str(error)
    else:
        message = repr(text)
    assert number >= 0
    assert repr(text) in message


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0 µs"),
        (1e-6, "1 µs"),
        (870e-6, "870 µs"),
        (999.4e-6, "999 µs"),
        (999.6e-6, "1.00 ms"),
        (1.4e-3, "1.40 ms"),
        (14e-3, "14.0 ms"),
        (140e-3, "140 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (2.05, "2.05 s"),
        (20.5, "20.5 s"),
        (119.0, "119 s"),
        (120.0, "2.0 min"),
        (-1.4e-3, "-1.40 ms"),
    ],
)
def test_a_duration_is_written_in_the_unit_that_reads_best(
    seconds: float | None, text: str
) -> None:
    assert units.format_duration(seconds) == text


@given(st.floats(min_value=1e-4, max_value=119.4))
def test_a_written_duration_is_within_half_a_percent_of_the_value(seconds: float) -> None:
    read_again = units.parse_duration(units.format_duration(seconds))
    assert read_again == pytest.approx(seconds, rel=0.0051)


@given(st.floats(min_value=1e-3, max_value=119.4))
def test_a_duration_over_a_millisecond_has_three_digits(seconds: float) -> None:
    digits = re.sub(r"[^0-9]", "", units.format_duration(seconds))
    assert len(digits) == 3


@pytest.mark.parametrize(
    ("margin_s", "of_s", "text"),
    [
        (0.00021, 0.00314, "0.21"),
        (0.0029, 0.0054, "2.9"),
        (96e-6, 508e-6, "96"),
        (999.4e-6, 847e-6, "999"),
        (0.010832, 847e-6, "10.8 ms"),
        (1.25, 0.0991, "1.25 s"),
        (0.0, 0.0054, "0"),
    ],
)
def test_a_margin_is_in_the_unit_of_its_figure_or_has_one_of_its_own(
    margin_s: float, of_s: float, text: str
) -> None:
    assert units.format_margin(margin_s, of_s) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (None, "–"),
        (0.0, "0.0/s"),
        (9.96, "10.0/s"),
        (99.94, "99.9/s"),
        (99.96, "100/s"),
        (5000.0, "5,000/s"),
        (1234567.8, "1,234,568/s"),
    ],
)
def test_a_rate_is_written_with_thousands_apart_and_a_decimal_when_small(
    per_second: float | None, text: str
) -> None:
    assert units.format_rate(per_second) == text


@pytest.mark.parametrize(("count", "text"), [(None, "–"), (0, "0"), (1234567, "1,234,567")])
def test_a_count_is_written_with_thousands_apart(count: int | None, text: str) -> None:
    assert units.format_count(count) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "–"),
        (0, "0 B"),
        (312, "312 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (1540, "1.54 kB"),
        (999_400, "999 kB"),
        (999_600, "1.00 MB"),
        (48_200_000, "48.2 MB"),
        (7_000_000_000, "7.00 GB"),
        (-1540, "-1.54 kB"),
    ],
)
def test_a_number_of_bytes_is_written_in_powers_of_a_thousand(
    size: float | None, text: str
) -> None:
    assert units.format_bytes(size) == text


@given(st.integers(min_value=1, max_value=999_000_000))
def test_a_written_size_is_within_half_a_percent_of_the_value(size: int) -> None:
    assert units.parse_size(units.format_bytes(size)) == pytest.approx(size, rel=0.0051)
