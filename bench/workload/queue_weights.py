"""Sub-queues with the weights of their shares, as users write them."""

from collections.abc import Mapping

from bench.errors import UsageError, quoted
from bench.names import ALL_QUEUES, require_queue_name
from bench.workload.value_type import ValueType, any_of, require_number

MOST_QUEUES = 1000
"""Each queue has histograms of its own in every slice of a run."""
_NAME_PATTERN = r"^[^\s{},\x00-\x1f\x7f-\x9f]{1,150}$(?!\n)"
_LEAST_WEIGHT, _MOST_WEIGHT = 1e-9, 1e9
"""Shares of queues are drawn with 53 bits: these leave each its share."""


def parse_weights(written: object) -> dict[str, float]:
    """Returns queue to weight, in the order as written.

    Takes ``{"inference_high": 1}``, or ``inference_high=1,inference_low=3``, or names alone, which
    weigh 1 each. Raises UsageError.
    """
    if isinstance(written, Mapping):
        pairs = [(str(name), weight) for name, weight in written.items()]
    elif isinstance(written, str):
        pairs = [_queue_pair(part) for part in written.split(",") if part.strip()]
    else:
        raise UsageError("write queue=weight pairs, for example inference_high=1,inference_low=3")
    if len(pairs) > MOST_QUEUES:
        raise UsageError(f"{len(pairs)} queues are too many: at most {MOST_QUEUES}")
    weights: dict[str, float] = {}
    for name, weight in pairs:
        share = _weight(name, weight)
        require_queue_name(name)
        if name in weights:
            raise UsageError(f"{name!r} is named twice")
        weights[name] = share
    return weights


def _weight(name: str, written: object) -> float:
    try:
        weight = require_number(written)
    except UsageError:
        raise UsageError(f"the weight of {name!r} is not a number: {quoted(written)}") from None
    if not weight > 0:
        raise UsageError(f"the weight of {name!r} must be positive, not {weight:g}")
    if not _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
        limits = f"from {_LEAST_WEIGHT:g} to {_MOST_WEIGHT:g}"
        raise UsageError(f"the weight of {name!r} must be {limits}, not {weight:g}")
    return weight


def _queue_pair(text: str) -> tuple[str, object]:
    name, equals, weight = text.partition("=")
    if not equals:
        return name.strip(), 1
    try:
        return name.strip(), float(weight)
    except ValueError:
        return name.strip(), weight.strip()


QUEUES = ValueType(
    parse_weights,
    any_of(
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": MOST_QUEUES,
            "propertyNames": {"pattern": _NAME_PATTERN, "not": {"const": ALL_QUEUES}},
            "additionalProperties": {
                "type": "number",
                "minimum": _LEAST_WEIGHT,
                "maximum": _MOST_WEIGHT,
            },
        },
        {"type": "string", "minLength": 1},
    ),
)
