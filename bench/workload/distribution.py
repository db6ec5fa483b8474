"""Distributions, and how users write them, as in ``exp:2ms`` or ``lognormal:256B,0.8``."""

import math
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec
import numpy as np

from bench.arrays import Floats, Integers
from bench.errors import UsageError, quoted
from bench.units import either_case
from bench.workload import draws

DistributionKind = Literal["none", "constant", "uniform", "exp", "lognormal"]


MOST_SIGMA = 3
"""Of a lognormal distribution. Above it, the mean comes from draws too rare to occur in a run, and
a draw of a time may not fit into 64 bits."""


class Distribution(msgspec.Struct, frozen=True):
    """A distribution of positive values, in the base unit of what it describes.

    ``mean`` is the arithmetic mean; ``low`` and ``high`` are the bounds of a uniform distribution;
    ``sigma`` is the standard deviation of the logarithm of a lognormal one.
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
        """Returns values (n,), one for each of ``numbers`` (n,).

        The same seed, stream and number always give the same value.
        """
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


def text_of(drawn: Distribution, value: Callable[[float], str]) -> str:
    """Returns a distribution as users write it; ``value`` writes a number with its unit."""
    match drawn.kind:
        case "none":
            return "none"
        case "constant":
            return value(drawn.mean)
        case "uniform":
            return f"uniform:{value(drawn.low)}-{value(drawn.high)}"
        case "exp":
            return f"exp:{value(drawn.mean)}"
        case "lognormal":
            return f"lognormal:{value(drawn.mean)},{drawn.sigma:g}"


def patterns(value: str, kinds: Iterable[DistributionKind]) -> list[str]:
    """Regular expressions, in JSON Schema's dialect, of what ``parse`` reads as one of the kinds.

    ``value`` is the pattern of a number with its unit. A value alone is always among them.
    """
    forms: dict[DistributionKind, tuple[str, str]] = {
        "none": ("none", ""),
        "constant": ("constant|fixed", value),
        "uniform": ("uniform", rf"{value}\s*-\s*{value}"),
        "exp": ("exp|exponential", value),
        "lognormal": ("lognormal", rf"{value}\s*,\s*[0-9.eE+-]+"),
    }
    found = [value]
    for kind in kinds:
        names, rest = forms[kind]
        found.append(f"(?:{either_case(names.split('|'))})" + rf"\s*:\s*{rest}" * bool(rest))
    return found


def parse(text: str, value: Callable[[str], float], default_kind: DistributionKind) -> Distribution:
    """Reads ``kind:value``, or a bare value as ``default_kind``.

    ``value`` reads a number with its unit. Raises UsageError where the text has none of the forms
    below, or a value is not positive.
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
                mean, sigma = _positive(value(mean_text), text), _sigma(sigma_text, text)
                return Distribution("lognormal", mean=mean, sigma=sigma)
    raise UsageError(
        f"{quoted(text)} is not a distribution: write constant:VALUE, uniform:LOW-HIGH, "
        "exp:MEAN or lognormal:MEAN,SIGMA"
    )


def _positive(number: float, text: str) -> float:
    if not 0 < number < math.inf:
        raise UsageError(f"{quoted(text)}: every value must be positive, and finite")
    return number


def _sigma(digits: str, text: str) -> float:
    try:
        sigma = _positive(float(digits), text)
    except ValueError:
        raise UsageError(f"{quoted(text)}: {quoted(digits.strip())} is not a number") from None
    if sigma > MOST_SIGMA:
        raise UsageError(f"{quoted(text)}: SIGMA must be at most {MOST_SIGMA}")
    return sigma
