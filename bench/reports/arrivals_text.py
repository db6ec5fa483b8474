"""How tasks were sent against the schedule, in the words that all reports of a run share."""

import math

from bench import units
from bench.measure.arrivals import Arrivals, Outcome, PoissonFit
from bench.records.run_record import RunRecord

_PROCESSES = {"constant": "constant", "poisson": "Poisson", "trace": "as in the trace"}


def arrivals(record: RunRecord) -> str:
    """Returns whether tasks were sent as the schedule asked, and by which figures; empty for a
    closed loop, which has none, and for older records."""
    found = record.arrivals
    if found is None or record.scenario.is_closed_loop:
        return ""
    if found.outcome is Outcome.NOT_JUDGED:
        return f"not compared with the schedule: {found.reason}"
    process = _PROCESSES.get(found.process, found.process)
    figures = _of_gaps(found) if found.sent is None else _of_fit(found, found.sent)
    return (
        f"{process}, {_outcome(found)}: {', '.join(figures)}; seen to within "
        f"{units.format_duration(found.resolution_s)}, over {units.format_count(found.gaps)} gaps"
    )


def _outcome(found: Arrivals) -> str:
    if found.outcome is Outcome.UNEVEN:
        return f"uneven within {units.format_duration(found.off_p99_s)}"
    return str(found.outcome)


def _of_gaps(found: Arrivals) -> list[str]:
    figures = [f"99% of gaps are within {units.format_duration(found.off_p99_s)} of the schedule's"]
    if found.rate_error is not None:
        within = math.ceil(abs(found.rate_error) * 1e4) / 1e4  # it is a bound: 0.001% is not zero
        figures.append(f"the rate within {within:.2%}")
    return figures


def _of_fit(found: Arrivals, fit: PoissonFit) -> list[str]:
    figures = [
        f"Kolmogorov-Smirnov distance of the gaps {fit.ks_distance:.1%}",
        f"correlation of successive gaps {fit.autocorrelation:+.2f}",
    ]
    if found.dispersion is not None:
        window = units.format_duration(found.dispersion_window_s)
        figures.append(f"dispersion {found.dispersion:.2f} over {window}")
    return figures
