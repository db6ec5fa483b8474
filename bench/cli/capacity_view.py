"""What a capacity search says before its first trial."""

from bench import units
from bench.analysis.capacity import budget
from bench.analysis.capacity.effort import held_out_levels
from bench.records.capacity_record import CapacityRecord


def opening(record: CapacityRecord, path: str) -> str:
    """Returns what the search is going to measure, and how long that will take."""
    levels = ", ".join(map(str, record.asked))
    checked = held_out_levels(record.asked)
    also = f", then {' and '.join(map(str, checked))} to check the model" if checked else ""
    made = len(record.trials)
    already = f" ({made} trial{'' if made == 1 else 's'} already made)" if made else ""
    return (
        f"{record.axis} {levels}{also}; {'; '.join(record.slo)}; trials of "
        f"{units.format_duration(record.effort.final_s)}; at most "
        f"{units.format_duration(max(budget.left_s(record), 0.0))}{already}; saved in {path}"
    )
