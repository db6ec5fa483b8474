"""The numpy array types that the project's annotations use."""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]

_FEW = 128
"""Number of values up to which a list is faster than the vector operations on an array."""


def extremes(values: Integers) -> tuple[int, int]:
    """Returns the least and the greatest of the values (n,), at least one."""
    if len(values) <= _FEW:
        few: list[int] = values.tolist()
        return min(few), max(few)
    return int(values.min()), int(values.max())


def total(values: Integers) -> int:
    """Returns the sum of the values (n,)."""
    return sum(values.tolist()) if len(values) <= _FEW else int(values.sum())


def distinct(values: Integers) -> list[int]:
    """Returns the different values among these (n,), ascending.

    Not by ``numpy.unique``, whose first call loads modules for ten milliseconds.
    """
    return sorted(set(values.tolist()))
