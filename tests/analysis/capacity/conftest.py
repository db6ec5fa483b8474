"""What the tests of capacity share: fits with fewer resamples, which take most of their time."""

import pytest

from bench.analysis.capacity import scaling
from tests.conftest import TrialCount


@pytest.fixture(autouse=True)
def few_resamples(trial_count: TrialCount, monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals from fewer fits: coarser at their ends, and enough for every test here."""
    monkeypatch.setattr(scaling, "RESAMPLES", trial_count(60, scaling.RESAMPLES))
