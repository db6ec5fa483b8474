"""Distributions as users write them: ``exp:2ms``, ``lognormal:256,0.8``, ``uniform:64-1KiB``."""

import math
from collections.abc import Callable
from typing import Literal

import msgspec
import numpy as np

from bench.arrays import Floats, Integers
from bench.errors import UsageError
from bench.workload import draws

DistributionKind = Literal["none", "constant", "uniform", "exp", "lognormal"]


class Distribution(msgspec.Struct, frozen=True):
    """A distribution of positive values, in the base unit of what it describes.

    ``mean`` is the arithmetic mean; ``low`` and ``high`` bound a uniform one; ``sigma`` is the
    standard deviation of a lognormal's logarithm.
    """

    kind: DistributionKind = "none"
    mean: float = 0.0
    low: float = 0.0
    high: float = 0.0
    sigma: float = 0.0

    @property
    def is_fixed(self) -> bool:
        """Whether every draw is the same."""
        return self.kind in ("none", "constant")

    def draw(self, seed: int, stream: str, numbers: Integers) -> Floats:
        """One value for each of ``numbers`` (n,); the same number always gets the same value."""
        match self.kind:
            case "none" | "constant":
                return np.full(len(numbers), self.mean)
            case "uniform":
                return self.low + (self.high - self.low) * draws.uniform(seed, stream, numbers)
            case "exp":
                return -self.mean * np.log1p(-draws.uniform(seed, stream, numbers))
            case "lognormal":
                location = math.log(self.mean) - self.sigma**2 / 2
                return np.exp(location + self.sigma * draws.normal(seed, stream, numbers))


def parse(text: str, value: Callable[[str], float], default_kind: DistributionKind) -> Distribution:
    """Read ``kind:value`` or a bare value; ``value`` reads a number with its unit.

    Raises UsageError when the text is none of the forms below, or a value is not positive.
    """
    kind, colon, rest = text.strip().partition(":")
    if not colon:
        kind, rest = ("none", "") if text.strip() == "none" else (default_kind, text)
    match kind.strip().lower():
        case "none" if not rest:
            return Distribution()
        case "constant" | "fixed":
            return Distribution("constant", mean=_positive(value(rest), text))
        case "exp" | "exponential":
            return Distribution("exp", mean=_positive(value(rest), text))
        case "uniform":
            low_text, dash, high_text = rest.partition("-")
            if dash:
                low, high = _positive(value(low_text), text), _positive(value(high_text), text)
                if low <= high:
                    return Distribution("uniform", mean=(low + high) / 2, low=low, high=high)
        case "lognormal":
            mean_text, comma, sigma_text = rest.partition(",")
            if comma:
                mean, sigma = _positive(value(mean_text), text), _number(sigma_text, text)
                return Distribution("lognormal", mean=mean, sigma=_positive(sigma, text))
    raise UsageError(
        f"{text!r} is not a distribution: write constant:VALUE, uniform:LOW-HIGH, "
        "exp:MEAN or lognormal:MEAN,SIGMA"
    )


def _positive(number: float, text: str) -> float:
    if not 0 < number < math.inf:
        raise UsageError(f"{text!r}: every value must be positive, and finite")
    return number


def _number(digits: str, text: str) -> float:
    try:
        return float(digits)
    except ValueError:
        raise UsageError(f"{text!r}: {digits.strip()!r} is not a number") from None
