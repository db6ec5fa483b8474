"""Decides how an attempt at a task ends, and when the next attempt is due."""

from bench.worker.recorder import AttemptOutcome


def outcome_of(fails: bool, retries: int, max_retry: int) -> AttemptOutcome:
    """Returns how an attempt ends.

    ``retries`` is the number of attempts before this one. A task that has failed ``max_retry + 1``
    times is archived: it is given up for good.
    """
    if not fails:
        return AttemptOutcome.COMPLETED
    return AttemptOutcome.ARCHIVED if retries >= max_retry else AttemptOutcome.RETRIED


def next_attempt_us(failed_us: int, delay_us: int) -> int:
    """Returns the moment, in µs on the run's clock, from which a failed task is retried.

    The delay is the same before every attempt (``--retry-delay``); it does not grow.
    """
    return failed_us + delay_us
