"""The retry policy: which attempt is the last one, and when the next one is."""

import pytest

from bench.worker.recorder import AttemptOutcome
from bench.worker.retry_policy import next_attempt_us, outcome_of


@pytest.mark.parametrize(
    ("fails", "retries", "max_retry", "outcome"),
    [
        (False, 0, 3, AttemptOutcome.COMPLETED),
        (False, 3, 3, AttemptOutcome.COMPLETED),
        (True, 0, 3, AttemptOutcome.RETRIED),
        (True, 2, 3, AttemptOutcome.RETRIED),
        (True, 3, 3, AttemptOutcome.ARCHIVED),
        (True, 0, 0, AttemptOutcome.ARCHIVED),
        (True, 9, 3, AttemptOutcome.ARCHIVED),  # somebody lowered the limit meanwhile
    ],
)
def test_a_task_has_one_attempt_and_max_retry_more(
    fails: bool, retries: int, max_retry: int, outcome: AttemptOutcome
) -> None:
    assert outcome_of(fails, retries, max_retry) is outcome


def test_the_next_attempt_comes_after_the_delay() -> None:
    assert next_attempt_us(1_000_000, 250_000) == 1_250_000
