"""Weights of sub-queues, as users write them: their shares of the load, and their priorities."""

from collections.abc import Collection, Mapping

from bench.errors import UsageError, nearest, quoted
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


def default_priorities(queues: Collection[str]) -> dict[str, float]:
    """Returns the weights with which sub-queues are served that have an order, and no priorities.

    From the lowest to the highest they are 1, 3, 6, 10 and so on (the triangular numbers), so that
    three sub-queues have those of asynq's documentation: 6, 3 and 1.
    """
    ranks = range(len(queues), 0, -1)
    return {name: float(rank * (rank + 1) // 2) for name, rank in zip(queues, ranks, strict=True)}


def in_priority_order(queues: Mapping[str, float], priorities: Mapping[str, float]) -> list[str]:
    """Returns the sub-queues with the highest priority first; equal ones keep their order.

    Raises UsageError where ``priorities`` does not name each of them, or names another.
    """
    for name in priorities:
        if name not in queues:
            raise UsageError(f"no queue {name!r}{nearest(name, queues)}")
    missing = [name for name in queues if name not in priorities]
    if missing:
        raise UsageError(f"{missing[0]!r} has none; give each of the queues one")
    return sorted(queues, key=lambda name: -priorities[name])


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
    placeholder="NAME=WEIGHT,…",
)
