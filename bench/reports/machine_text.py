"""What reports say of the machine of a run: hiccups, and the canaries before and after it."""

from bench import units
from bench.measure.canary import changes
from bench.names import ALL_QUEUES
from bench.records.run_record import RunRecord


def hiccups(record: RunRecord) -> str:
    """Returns how late a process woke that only slept, beside the tail of e2e; empty without a
    trace.

    The two are percentiles of different things, of moments and of tasks, and cannot be subtracted:
    the sentence therefore names both, and no difference.
    """
    seen = record.hiccups
    if seen is None or not seen.lateness.count:
        return ""
    late = seen.lateness
    end_to_end = record.latency["e2e"][ALL_QUEUES]
    beside = (
        f"at p99.9 e2e took {units.format_duration(end_to_end.p999_s)}, and "
        if end_to_end.count
        else "at p99.9 "
    )
    return (
        f"hiccups: {beside}a process that only slept woke {units.format_duration(late.p999_s)} "
        f"late (p50 {units.format_duration(late.p50_s)}, p99 {units.format_duration(late.p99_s)}, "
        f"max {units.format_duration(late.max_s)}; it slept "
        f"{units.format_duration(seen.interval_s)} at a time and used {seen.cpu_cores:.1%} of a "
        "core)"
    )


def canary(record: RunRecord) -> str:
    """Returns what fixed pieces of work took before the run, and by how much that changed; empty
    where none was timed."""
    timed = record.canary
    if timed is None:
        return ""
    if timed.after is None:
        after = "none after the run, which was cut short"
        found = ", ".join(
            f"{each.kind} {units.format_duration(each.before_s)}"
            for each in changes(timed.before, timed.before)
        )
        return f"{found}; {after}"
    took_s = timed.before.took_s + timed.after.took_s
    found = ", ".join(
        f"{each.kind} {units.format_duration(each.before_s)} ({each.share:+.1%} after)"
        for each in changes(timed.before, timed.after)
    )
    return f"{found}; both together took {units.format_duration(took_s)}"
