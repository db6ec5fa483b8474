"""What the verdict says of tasks that were not sent as the schedule asked."""

from collections.abc import Iterator

from bench import units
from bench.measure.arrivals import Outcome
from bench.measure.verdict_inputs import Verdict, VerdictInputs, VerdictReason

NOT_AS_ASKED = "arrivals_not_as_asked"
UNEVEN = "arrivals_uneven"


def not_as_asked(inputs: VerdictInputs, *, is_late: bool) -> Iterator[VerdictReason]:
    """Yields what of the arrivals is not as asked, or is so only beyond a few milliseconds.

    Nothing where tasks were sent so late (``is_late``), or were given up, that this is said
    already: it is the cause.
    """
    arrivals = inputs.arrivals
    if arrivals is None or is_late or inputs.lateness.given_up.tasks:
        return
    if arrivals.outcome is Outcome.NOT_AS_ASKED:
        yield VerdictReason(
            NOT_AS_ASKED,
            f"tasks were not sent as the schedule asks: {arrivals.reason}; so the queue was under "
            "another load than the one asked for, most often because the generator or the server's "
            "socket did not keep up: lower the rate, add --producers, or free a core",
            Verdict.GENERATOR_LIMITED,
        )
    if arrivals.outcome is Outcome.UNEVEN:
        yield VerdictReason(
            UNEVEN,
            f"for moments of up to {units.format_duration(arrivals.off_p99_s)} tasks were not sent "
            f"as the schedule asks: {arrivals.reason}; so what queues do within that time was not "
            "measured under the load asked for: free a core",
        )
