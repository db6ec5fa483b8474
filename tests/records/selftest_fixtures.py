"""Records of ``bench selftest`` for tests: values that a real one had, shortened."""

from typing import Any

import msgspec

from bench.analysis.selftest import noise_of
from bench.records.selftest_record import (
    ComparedStatistic,
    CountCheck,
    DelayCheck,
    MeasuredBy,
    PacingCheck,
    SelftestCeiling,
    SelftestProblem,
    SelftestRecord,
)


def compared(statistic: str, known_s: float, measured_s: float, **changes: Any) -> Any:
    """A statistic that is known to within 0.1 ms, and measured with an error of 0.05 ms."""
    fields = {
        "known_low_s": known_s,
        "known_high_s": known_s + 0.0001,
        "measured_low_s": measured_s,
        "measured_high_s": measured_s,
        "error_s": 0.00005,
        **changes,
    }
    return ComparedStatistic(statistic=statistic, **fields)


def delay(
    path: MeasuredBy,
    interval: str,
    planted_s: float | None,
    *statistics: ComparedStatistic,
    **changes: Any,
) -> DelayCheck:
    """A delay of 200 tasks."""
    fields = {"samples": 200, "measured_samples": 200, **changes}
    return DelayCheck(
        path=path, interval=interval, planted_s=planted_s, compared=list(statistics), **fields
    )


def good(**changes: Any) -> SelftestRecord:
    """A self-test in which everything agrees."""
    observed = compared("p50", 0.01011, 0.01005, measured_high_s=0.01031)
    fields = {
        "took_s": 101.5,
        "steps": ["delays", "losses", "ceiling"],
        "delays": [
            delay("observer", "e2e", 0.01, observed, compared("p99", 0.0112, 0.01125)),
            delay(
                *("built-in", "service", 0.1),
                *(compared("p50", 0.1002, 0.10025), compared("p99", 0.1031, 0.1031)),
            ),
            delay("built-in", "queue_wait", None, compared("p50", 0.0003, 0.00035)),
            delay("network", "enqueue", 0.001, compared("p50", 0.00109, 0.00115)),
        ],
        "counts": [
            CountCheck(path="built-in", what="lost", planted=10, measured=10),
            CountCheck(path="built-in", what="duplicated", planted=5, measured=5),
            CountCheck(path="observer", what="lost", planted=8, measured=8),
        ],
        "ceilings": [
            SelftestCeiling(sink="embedded server", per_s=212_000.0),
            SelftestCeiling(sink="none", per_s=3_100_000.0),
        ],
        "pacing": [
            PacingCheck(
                asked_per_s=1000, enqueued_per_s=1000.1, lag_p50_s=0.00016, lag_p99_s=0.00042
            )
        ],
        "noise": [
            noise_of("e2e.p50", [0.00036, 0.00037, 0.00036, 0.00038]),
            noise_of("enqueued", [210_000.0, 214_000.0, 201_000.0, 212_000.0]),
        ],
        "environment": {"cores": 8, "cpu_model": "A CPU", "python": "3.11.7"},
        "server": {"product": "valkey", "version": "9.1.2"},
        "ended": "finished",
        **changes,
    }
    return SelftestRecord(
        started_at="2026-01-12T09:30:00+00:00", command="bench selftest", **fields
    )


def wrong() -> SelftestRecord:
    """A self-test with one failure of each kind, and a delay that is unclear."""
    late = delay("built-in", "service", 0.1, compared("p50", 0.1002, 0.1051))
    few = delay("observer", "e2e", 0.01, compared("p50", 0.01, 0.01), measured_samples=198)
    unclear = delay("network", "enqueue", 0.001, compared("p50", 0.001, 0.001, error_s=0.02))
    made = good()
    return msgspec.structs.replace(
        made,
        delays=[*made.delays, late, few, unclear],
        counts=[CountCheck(path="built-in", what="duplicated", planted=5, measured=4)],
        problems=[SelftestProblem(step="ceiling", reason="the server went away")],
        is_quick=True,
    )
