"""What a connection goes through, as users write it: ``20ms±5ms 1MB/s``, ``loss``, ``none``."""

import re

from bench import units
from bench.errors import UsageError, nearest, quoted
from bench.workload.faults import Network
from bench.workload.quantities import plain, read_duration_or_zero
from bench.workload.value_type import ValueType, pattern_schema, require_text

MOST_ROUND_TRIP_S = 60.0
"""The longest that is added to a round trip: no client of a task queue waits for longer."""
MOST_RESETS_PER_S = 10_000.0
_LEAST_BYTES_PER_S = 1000.0

_PLUS_MINUS = re.compile(r"\s*(?:±|\+/?-)\s*")
_RESETS = re.compile(r"\breset\s+(\S+)")
_ALL = "a round trip such as 20ms±5ms, a bandwidth such as 1MB/s, reset 5/s, loss, or none"


def seconds_of(text: str) -> float:
    """Returns a duration or zero in seconds, to a microsecond. Raises UsageError."""
    return round(read_duration_or_zero(text), 6)


def short_duration(seconds: float) -> str:
    """A duration as users write it, to a microsecond: ``20ms``, ``1.5s``."""
    return f"{plain(seconds * 1e3)}ms" if 0 < seconds < 1 else f"{plain(seconds)}s"


def parse_network(text: str) -> Network:
    """Reads what is written of a network, its parts separated by blanks, in any order.

    Raises UsageError that says which part cannot be read, and what there is.
    """
    written = " ".join(text.split())
    if written == "none":
        return Network()
    found: dict[str, float | bool] = {}
    rest = _RESETS.sub(lambda match: _resets(match[1], found), _PLUS_MINUS.sub("±", written))
    for word in rest.split():
        for name, value in _part(word).items():
            if name in found:
                raise UsageError(f"{quoted(written)} says twice what {_MEANINGS[name]} is")
            found[name] = value
    if not found:
        raise UsageError(f"say what the network is like: {_ALL}")
    if "is_black_hole" in found and len(found) > 1:
        raise UsageError("loss lets nothing through: remove the rest, or loss")
    return Network(**found)  # type: ignore[arg-type]


_MEANINGS = {
    "round_trip_s": "the round trip",
    "jitter_s": "the jitter",
    "bytes_per_s": "the bandwidth",
    "is_black_hole": "the loss",
}


def _resets(text: str, found: dict[str, float | bool]) -> str:
    """Notes the rate of resets, and returns what stands in its place."""
    if "resets_per_s" in found:
        raise UsageError("it says twice how often connections are reset: remove one")
    per_s = round(units.parse_rate(text), 9)
    if not 0 < per_s <= MOST_RESETS_PER_S:
        raise UsageError(f"reset {text} is out of range: at most {MOST_RESETS_PER_S:g}/s, not zero")
    found["resets_per_s"] = per_s
    return " "


def _part(word: str) -> dict[str, float | bool]:
    """The fields of a network that one word gives. Raises UsageError."""
    if word == "loss":
        return {"is_black_hole": True}
    if word.lower().endswith("b/s"):
        per_s = float(units.parse_size(word[: -len("/s")]))
        if per_s < _LEAST_BYTES_PER_S:
            raise UsageError(f"{word} is too slow: at least 1kB/s, or write loss")
        return {"bytes_per_s": per_s}
    if re.match(r"[0-9.]", word):
        return _delay(word)
    if word == "reset":
        raise UsageError("reset needs a rate: write for example reset 5/s")
    hint = nearest(word, ("loss", "none", "reset")) or f": write {_ALL}"
    raise UsageError(f"{quoted(word)} says nothing of a network{hint}")


def _delay(word: str) -> dict[str, float | bool]:
    trip, plus_minus, spread = word.partition("±")
    round_trip_s = seconds_of(trip)
    jitter_s = seconds_of(spread) if plus_minus else 0.0
    if not 0 < round_trip_s <= MOST_ROUND_TRIP_S:
        raise UsageError(f"{quoted(word)}: a round trip is longer than zero, and at most 1min")
    if jitter_s > round_trip_s:
        raise UsageError(f"{quoted(word)}: the jitter is larger than the round trip; shorten it")
    return {"round_trip_s": round_trip_s} | ({"jitter_s": jitter_s} if plus_minus else {})


def network_text(network: Network) -> str:
    """Returns a network as users write it: the inverse of ``parse_network``."""
    if network.is_black_hole:
        return "loss"
    parts = []
    if network.round_trip_s:
        spread = f"±{short_duration(network.jitter_s)}" if network.jitter_s else ""
        parts.append(f"{short_duration(network.round_trip_s)}{spread}")
    if network.bytes_per_s is not None:
        parts.append(f"{_size(network.bytes_per_s)}/s")
    if network.resets_per_s:
        parts.append(f"reset {plain(network.resets_per_s)}/s")
    return " ".join(parts) or "none"


def _size(size: float) -> str:
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size % factor == 0:
            return f"{plain(size / factor)}{unit}"
    return f"{plain(size)}B"


def _network(written: object) -> Network:
    return parse_network(require_text(written))


_SPREAD = rf"(?:\s*(?:±|\+/?-)\s*{units.DURATION_PATTERN})?"
_PART = (
    rf"(?:loss|reset\s+{units.RATE_PATTERN}|{units.SIZE_PATTERN}/[sS]"
    rf"|{units.DURATION_PATTERN}{_SPREAD})"
)

NETWORK = ValueType(
    _network,
    pattern_schema("none", rf"{_PART}(?:\s+{_PART})*"),
    network_text,
    placeholder="NETWORK",
)
