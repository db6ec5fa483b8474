"""Whether tasks were sent as asked, in real runs."""

import pytest

from bench.measure.arrivals import Outcome
from bench.redisio.embedded import EmbeddedServer
from tests.integration.conftest import run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("producers", [1, 2])
def test_random_arrivals_of_one_and_of_two_producers_are_judged_together(
    embedded: EmbeddedServer, producers: int
) -> None:
    """By schedule they are a Poisson process on any machine; how they are sent is the machine's."""
    fields: dict[str, object] = {"rate": 1000, "duration": 2, "arrivals": "poisson"}
    record = run(embedded.url, {**fields, "producers": producers, "warmup": 0})
    found = record.arrivals
    assert found is not None
    assert found.outcome is not Outcome.NOT_JUDGED
    assert found.gaps == pytest.approx(2000, rel=0.15)
    assert found.due is not None
    assert not found.due.misfits()


def test_recorded_tasks_are_compared_with_their_trace(
    embedded: EmbeddedServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trace = tmp_path_factory.mktemp("trace") / "tasks.csv"
    times = (f"{number * 0.005 + (number % 3) * 0.001:.6f}" for number in range(200))
    trace.write_text("\n".join(["time_s", *times]) + "\n")
    record = run(embedded.url, {"trace": str(trace)})
    found = record.arrivals
    assert found is not None
    assert (found.process, found.gaps, found.sent) == ("trace", 199, None)
