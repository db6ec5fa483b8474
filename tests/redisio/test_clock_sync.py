"""How far the stamps of a run's processes can be apart."""

from collections.abc import Sequence
from typing import cast

import pytest
import redis

from bench.clock import Offset
from bench.redisio import clock_sync
from bench.redisio.clock_sync import Agreement, agreement

OWN = Offset(5_000_000, 30.0)
NOBODY = cast(redis.Redis, None)


@pytest.mark.parametrize(
    ("now", "errors_us", "taken_for_own", "expected"),
    [
        (OWN, [], [], Agreement()),
        (OWN, [40.0], [], Agreement(70.0)),
        (Offset(5_000_100, 10.0), [40.0], [], Agreement(170.0)),
        (OWN, [], [Offset(5_000_050, 20.0)], Agreement()),
        (OWN, [], [Offset(5_000_051, 20.0)], Agreement(31.0, 1.0)),
        (OWN, [], [Offset(-95_000_000, 20.0), OWN], Agreement(99_999_980.0, 99_999_950.0)),
        (OWN, [], [Offset(105_000_000, 20.0)], Agreement(99_999_980.0, 99_999_950.0)),
        # The server's clock was set during the run, before the worker's last report or after it.
        (Offset(6_000_000, 30.0), [], [Offset(6_000_000, 20.0)], Agreement()),
        (Offset(6_000_000, 30.0), [], [Offset(5_000_000, 20.0)], Agreement()),
        (Offset(6_000_000, 30.0), [], [Offset(7_000_000, 20.0)], Agreement(1_999_980.0, 999_950.0)),
    ],
)
def test_a_clock_that_is_taken_for_the_run_s_is_compared_with_it(
    monkeypatch: pytest.MonkeyPatch,
    now: Offset,
    errors_us: Sequence[float],
    taken_for_own: Sequence[Offset],
    expected: Agreement,
) -> None:
    monkeypatch.setattr(clock_sync, "measure_offset", lambda _: now)
    assert agreement(NOBODY, OWN, errors_us, taken_for_own) == expected
