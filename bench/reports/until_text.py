"""What came of ``--until``, in the words that all reports of a run share."""

from collections.abc import Iterator

from bench import units
from bench.measure.confidence import PERIODS, SHORT, TAIL
from bench.measure.stopping import UntilLook, UntilResult
from bench.records.run_record import RunRecord
from bench.workload.metrics import format_value
from bench.workload.until import Target, look_length_s, parse_target

_MOST_LONGER = 20
"""A run that would have to be more times as long as it was is not recommended."""
_WITHHELD = {
    SHORT: "without tasks it is not known how well",
    TAIL: "how well is not known, as too few samples lie beyond it",
    PERIODS: "how well is not known, as too few separate periods decide it",
}


def until(record: RunRecord) -> str:
    """Returns whether the run ended as its figures were known as well as asked, and how well they
    are; empty for a run that was to have its whole length."""
    result = record.until
    if result is None:
        return ""
    figures = "; ".join(map(described, result.last))
    if result.ended_by == "precision":
        after_s = record.warmup.left_out_s + record.window_s
        return f"ended after {units.format_duration(after_s)}, precise enough: {figures}"
    if not result.analyses:
        asked = ", ".join(result.asked)
        return f"ended before the first look at how well figures are known: {asked}"
    if result.ended_by != "duration":
        return f"cut short before it was precise enough: {figures}"
    return f"--duration ended it before it was precise enough: {figures}{_advice(record, result)}"


def described(look: UntilLook) -> str:
    """Returns a figure, how well it was known at a look, and what was asked for."""
    target = parse_target(look.asked)
    name = target.metric.name
    if look.value is None or look.half_width is None:
        return f"{name}: {_WITHHELD.get(look.withheld, look.withheld)}, asked {_asked(target)}"
    value = format_value(target.metric, look.value)
    return f"{name} {value} {_half_width(target, look)}, asked {_asked(target)}"


def now(look: UntilLook) -> str:
    """Returns how well a figure is known so far, in a few words."""
    target = parse_target(look.asked)
    if look.value is None or look.half_width is None:
        return f"{target.metric.name} ±?, asked {_asked(target)}"
    return f"{target.metric.name} {_half_width(target, look)}, asked {_asked(target)}"


def next_look_s(analyses: tuple[UntilLook, ...]) -> int:
    """Returns the length of the window at the look after these of one moment."""
    window_s = analyses[0].window_s if analyses else 0
    return next(length_s for length_s in _lengths_s() if length_s > window_s)


def _lengths_s() -> Iterator[int]:
    number = 0
    while True:
        yield look_length_s(number)
        number += 1


def _asked(target: Target) -> str:
    return target.expression.rpartition(" ")[2]


def _half_width(target: Target, look: UntilLook) -> str:
    """The half width, relative where the precision was asked for so."""
    if look.half_width is None or look.value is None:
        return "±?"
    if not target.is_relative:
        return f"±{format_value(target.metric, look.half_width)}"
    return f"±{look.half_width / look.value:.1%}" if look.value else "±0.0%"


def _advice(record: RunRecord, result: UntilResult) -> str:
    """How long a run may take that is precise enough; empty where that is not known."""
    last = result.last
    needed = [_needed_s(look) for look in last]
    known = [each for each in needed if each is not None]
    if len(known) < len(needed):
        return ": run longer"
    steps = _lengths_s()
    first = next(length_s for length_s in steps if length_s >= max(known))
    longer_s = record.warmup.most_s + (next(steps) if first >= last[0].window_s else first)
    longer_s = max(longer_s, record.duration_s)
    if longer_s > _MOST_LONGER * record.duration_s:
        return f": that would take more than {_MOST_LONGER} times as long; ask for less"
    return f": run longer, about {units.format_duration(longer_s)}"


def _needed_s(look: UntilLook) -> float | None:
    """The window in which a figure is as precise as asked: its half width falls with the square
    root of the length. None where it is not known."""
    if look.value is None or look.half_width is None:
        return None
    target = parse_target(look.asked)
    asked = target.precision * look.value if target.is_relative else target.precision
    if asked <= 0:
        return None
    return look.window_s * max((look.half_width / asked) ** 2, 1.0)
