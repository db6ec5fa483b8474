"""Finds values that no record of this project can have, whatever their type; no I/O.

A record is read years later and on other machines, by reports that compute with its figures. A
number that no run can reach would make them fail or mislead, so it is refused where it is read.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bench.measure.ledger import Counts, imbalance

MOST = 1 << 64
"""No figure of a record reaches it: seeds are the largest, and sizes in bytes."""
_DEEPEST = 40
"""Levels of lists and objects in each other. Records have fewer than ten."""


def implausible(value: object) -> str | None:
    """Returns what is wrong with the first value that no record can have, and where; else None.

    A place is written as in ``$.counts.due``.
    """
    return next(_problems(value, "$", 0), None)


def _problems(value: object, at: str, depth: int) -> Iterator[str]:
    if isinstance(value, bool | str | None):
        return
    if isinstance(value, int | float):
        if not -MOST < value < MOST:
            yield f"{at} is beyond every measure"
        return
    if depth > _DEEPEST:
        yield f"{at} is nested too deeply"
        return
    if isinstance(value, Counts):
        yield from _of_counts(value, at)
    for name, each in _parts(value, at):
        yield from _problems(each, name, depth + 1)


def _parts(value: object, at: str) -> Iterable[tuple[str, object]]:
    """The values within a value, with their places; none for a list of numbers of possible size."""
    if isinstance(value, msgspec.Struct):
        return ((f"{at}.{name}", getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, Mapping):
        return ((f"{at}.{key}", each) for key, each in value.items())
    if isinstance(value, list | tuple):
        if _are_numbers(value):
            return ()
        return ((f"{at}[{number}]", each) for number, each in enumerate(value))
    return ()


def _are_numbers(values: Iterable[object]) -> bool:
    """Whether a list holds possible numbers only: a series has millions, which are looked at here
    without a step of Python for each."""
    numbers = [each for each in values if each is not None]
    try:
        return not numbers or (max(numbers) < MOST and min(numbers) > -MOST)  # type: ignore[type-var, operator]
    except TypeError:
        return False


def _of_counts(counts: Counts, at: str) -> Iterator[str]:
    negative = [name for name in counts.__struct_fields__ if getattr(counts, name) < 0]
    if negative:
        yield f"{at}.{negative[0]} is a negative number of tasks"
    problem = imbalance(counts)
    if problem is not None:
        yield f"{at} contradicts itself: {problem}"
