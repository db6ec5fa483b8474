"""The time of a capacity search: what was spent, what a trial takes, and what each level may take.

Nothing here reads a clock: all times come from the trials in the record.
"""

import math
import statistics
from collections.abc import Iterable

import msgspec

from bench.analysis.capacity.effort import OVERHEAD_S, held_out_levels
from bench.analysis.capacity.evidence import ending, lacks_time
from bench.records.capacity_record import CapacityRecord, TrialRow

_MOST_OVERTIME = 1.5
"""Multiple of a level's time that a search without a proven bound may use to prove one."""


def spent_s(record: CapacityRecord) -> float:
    """Returns the seconds that all trials took."""
    return math.fsum(each.took_s for each in record.trials)


def left_s(record: CapacityRecord) -> float:
    """Returns the seconds of the budget that are left; negative once it is overrun."""
    return record.effort.budget_s - spent_s(record)


def trial_s(record: CapacityRecord, duration_s: float) -> float:
    """Returns the seconds that a trial with that load is expected to take, from start to end.

    What it takes beyond its load is the median of the trials so far.
    """
    beyond = [each.took_s - each.duration_s for each in record.trials if each.units]
    return duration_s + (max(statistics.median(beyond), 0.0) if beyond else OVERHEAD_S)


def fits(record: CapacityRecord, duration_s: float) -> bool:
    """Returns whether a trial with that load is expected to end within the budget."""
    return trial_s(record, duration_s) <= left_s(record)


def level_left_s(record: CapacityRecord, units: int, *, is_overtime: bool = False) -> float:
    """Returns the seconds that a level may still take, at most those of the budget.

    Its time is an equal part of what the levels before it left, for each level after it that is
    not settled. A continued search divides the time that it has from then on. With ``is_overtime``
    a level may take half as much again, which one without a proven bound needs.
    """
    planned = [*sorted(set(record.asked)), *held_out_levels(record.asked)]
    place = planned.index(units) if units in planned else len(planned) - 1
    settled = {level.units for level in record.levels if level.is_settled}
    after = [each for each in planned[place + 1 :] if each not in settled]
    since = record.trials[record.continued_after :]
    is_checked = any(each.purpose == "load" for each in record.trials)
    check_s = 0.0 if is_checked else trial_s(record, record.effort.final_s)
    given_s = left_s(record) + _took_s(since)
    before_s = _took_s(each for each in since if each.units in (0, *planned[:place]))
    share_s = (given_s - before_s - check_s) / (1 + len(after))
    allowed_s = share_s * (_MOST_OVERTIME if is_overtime else 1.0)
    return min(allowed_s - _took_s(each for each in since if each.units == units), left_s(record))


def _took_s(trials: Iterable[TrialRow]) -> float:
    """Returns the seconds that trials took that looked for a level's limit."""
    return math.fsum(each.took_s for each in trials if each.purpose != "load")


def extended(record: CapacityRecord, more_s: float | None) -> CapacityRecord:
    """Returns an ended search with time to go on: ``more_s`` seconds from now.

    None leaves an interrupted search what is left of its budget, and gives one that used it as much
    time again for each level that is not settled. Predictions of which none was measured are
    dropped, since they are made again once the levels are known better.
    """
    settled = {level.units for level in record.levels if level.is_settled}
    still_open = [units for units in record.asked if units not in settled]
    planned = max(len(record.asked) + len(held_out_levels(record.asked)), 1)
    budget_s = record.effort.budget_s
    if more_s is not None:
        budget_s = max(spent_s(record), 0.0) + more_s
    elif lacks_time(record) and ending(record) == "budget":
        budget_s += budget_s * max(len(still_open), 1) / planned
    was_checked = any(each.measured is not None for each in record.predictions)
    is_new = bool(still_open) and not was_checked
    return msgspec.structs.replace(
        record,
        effort=msgspec.structs.replace(record.effort, budget_s=budget_s),
        predictions=[] if is_new else record.predictions,
        scaling=None if is_new else record.scaling,
        is_complete=False,
        ended="",
        continued_after=len(record.trials),
    )
