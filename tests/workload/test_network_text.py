"""A network as it is written, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.workload.faults import Network
from bench.workload.network_text import network_text, parse_network


def micros(least: int, most: int) -> st.SearchStrategy[float]:
    return st.integers(least, most).map(lambda each: round(each / 1e6, 6))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    if draw(st.booleans()) and draw(st.booleans()):
        return Network(is_black_hole=True)
    round_trip = draw(st.integers(0, 60_000_000))
    return Network(
        round_trip_s=round_trip / 1e6,
        jitter_s=draw(st.integers(0, round_trip)) / 1e6,
        bytes_per_s=draw(st.none() | st.integers(1000, 10**12).map(float)),
        resets_per_s=draw(st.just(0.0) | st.integers(1, 10_000_000).map(lambda n: n / 1000)),
    )


@given(networks())
def test_what_is_written_of_a_network_is_read_back_as_it_was(network: Network) -> None:
    assert parse_network(network_text(network)) == network


@pytest.mark.parametrize(
    ("text", "network", "canonical"),
    [
        ("none", Network(), "none"),
        ("20ms", Network(round_trip_s=0.02), "20ms"),
        ("20ms±5ms", Network(round_trip_s=0.02, jitter_s=0.005), "20ms±5ms"),
        ("20ms +- 5ms", Network(round_trip_s=0.02, jitter_s=0.005), "20ms±5ms"),
        ("20ms+/-500us", Network(round_trip_s=0.02, jitter_s=0.0005), "20ms±0.5ms"),
        ("1MB/s", Network(bytes_per_s=1e6), "1MB/s"),
        ("64KiB/s 2ms", Network(round_trip_s=0.002, bytes_per_s=65_536), "2ms 65536B/s"),
        ("reset 5/s 1ms", Network(round_trip_s=0.001, resets_per_s=5), "1ms reset 5/s"),
        ("reset 30/min", Network(resets_per_s=0.5), "reset 0.5/s"),
        ("loss", Network(is_black_hole=True), "loss"),
    ],
)
def test_a_network_has_one_spelling_among_several(
    text: str, network: Network, canonical: str
) -> None:
    assert parse_network(text) == network
    assert network_text(network) == canonical


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "say what the network is like: a round trip such as 20ms±5ms"),
        ("20", "'20' has no unit: write 20ms or 20s"),
        ("5ms±20ms", "'5ms±20ms': the jitter is larger than the round trip"),
        ("0s", "'0s': a round trip is longer than zero"),
        ("2min", "'2min': a round trip is longer than zero, and at most 1min"),
        ("1ms 2ms", "'1ms 2ms' says twice what the round trip is"),
        ("1MB/s 2MB/s", "'1MB/s 2MB/s' says twice what the bandwidth is"),
        ("reset 1/s reset 2/s", "it says twice how often connections are reset"),
        ("1B/s", "1B/s is too slow: at least 1kB/s, or write loss"),
        ("1MB", "'1MB' is not a duration"),
        ("loss 20ms", "loss lets nothing through: remove the rest, or loss"),
        ("reset", "reset needs a rate: write for example reset 5/s"),
        ("reset 0/s", "reset 0/s is out of range"),
        ("reset often", "'often' is not a rate"),
        ("lost", "'lost' says nothing of a network: did you mean 'loss'?"),
        ("none 1ms", "'none' says nothing of a network"),
    ],
)
def test_what_is_no_network_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_network(text)
    assert str(caught.value).startswith(message)
