"""Sub-queues with the weights of their shares, as users write them."""

import math
from collections.abc import Mapping

from bench.errors import UsageError
from bench.workload.value_type import ValueType, any_of, require_number

_ALL_QUEUES = "all"


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
    weights: dict[str, float] = {}
    for name, weight in pairs:
        share = _weight(name, weight)
        if not name or any(character.isspace() or character in "{}" for character in name):
            raise UsageError(f"{name!r} is not a queue name")
        if name == _ALL_QUEUES:
            raise UsageError(f"{name!r} means all queues together in records: rename it")
        if name in weights:
            raise UsageError(f"{name!r} is named twice")
        weights[name] = share
    return weights


def _weight(name: str, written: object) -> float:
    try:
        weight = require_number(written)
    except UsageError:
        raise UsageError(f"the weight of {name!r} is not a number: {written!r}") from None
    if not 0 < weight < math.inf:
        raise UsageError(f"the weight of {name!r} must be positive, not {weight:g}")
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
            "propertyNames": {"pattern": rf"^(?!{_ALL_QUEUES}$)[^\s{{}}]+$"},
            "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
        },
        {"type": "string", "minLength": 1},
    ),
)
