"""Random numbers that depend only on a task's number.

The n-th number of a stream is a hash of (seed, stream, n), so any process can compute the draws of
any task without those before it: producers that share a schedule agree without communication, and
a worker knows a task's service time in whatever order tasks arrive.
"""

import hashlib

import numpy as np

from bench.arrays import Floats, Integers

_MASK = (1 << 64) - 1


def uniform(seed: int, stream: str, numbers: Integers) -> Floats:
    """Returns uniform draws (n,) in [0, 1), one for each of ``numbers`` (n,).

    SplitMix64's output function over a keyed counter (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", 2014).
    """
    key = np.uint64(_key(seed, stream))
    state = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + key
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    state ^= state >> np.uint64(31)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, stream: str, numbers: Integers) -> Floats:
    """Returns standard normal draws (n,), one for each of ``numbers`` (n,).

    The method is that of Box and Muller (1958).
    """
    radius = np.sqrt(-2.0 * np.log1p(-uniform(seed, stream + "/radius", numbers)))
    return radius * np.cos(2.0 * np.pi * uniform(seed, stream + "/angle", numbers))


def _key(seed: int, stream: str) -> int:
    digest = hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") & _MASK
