"""The hiccups of a run's window."""

from bench.measure.hiccups import MOST_LONGEST
from bench.measure.histogram import merged, unpack
from bench.records.run_record import Hiccups
from bench.records.summaries import summarise
from bench.run.collected import CollectedRun


def hiccups_in(run: CollectedRun, first_slice: int) -> Hiccups | None:
    """The hiccups that were due in this slice of the run or later, until its last task had ended;
    None without a trace."""
    report = run.seen.hiccups
    if report is None:
        return None
    slices = report.slices[first_slice:]
    longest = [hiccup for each in slices for hiccup in each.longest]
    longest.sort(key=lambda hiccup: hiccup.late_s, reverse=True)
    return Hiccups(
        interval_s=report.interval_us / 1e6,
        lateness=summarise(merged(unpack(each.lateness) for each in slices)),
        longest=longest[:MOST_LONGEST],
        cpu_cores=report.cpu_s / report.elapsed_s if report.elapsed_s else 0.0,
    )
