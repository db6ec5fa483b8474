"""One run with each kind of fault at moments that a seed draws: its ledger is right by id."""

import itertools

import pytest

from tests.faults.campaign import FAILOVERS, LAYOUTS, STRIKES, Trial, check

pytestmark = pytest.mark.slow

_layouts = itertools.cycle(LAYOUTS)
_TRIALS = [
    Trial(strike.name, worker, next(_layouts), seed=1)
    for strike in (*STRIKES, *FAILOVERS)
    for worker in strike.workers
]


@pytest.mark.parametrize(
    "trial", _TRIALS, ids=lambda each: f"{each.fault}-{each.worker}-{each.layout}"
)
def test_the_ledger_agrees_with_a_count_by_id_without_it(trial: Trial) -> None:
    checked = check(trial)
    assert checked.told == []
    assert len(checked.found.enqueued) > 100
