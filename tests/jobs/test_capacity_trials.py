"""The row of a search's trial is what the record of its run says."""

from bench.analysis.capacity.steps import SearchStep
from bench.jobs.capacity_job import trial_row
from bench.names import ALL_QUEUES
from tests.records.fixtures import example_record


def test_a_row_has_the_intervals_that_the_run_gives_and_those_that_it_withholds() -> None:
    run = example_record()
    step = SearchStep("search", 2, 500.0, 10.0)
    row = trial_row(step, run, 12.0, "001.json")
    summary = run.latency["e2e"][ALL_QUEUES]
    assert row.e2e_s[ALL_QUEUES]["p99"] == summary.p99_s
    assert row.e2e_confidence[ALL_QUEUES] == {
        name: summary.confidence[f"{name}_s"] for name in ("p50", "p95", "p99")
    }
    assert row.completed_confidence == run.rates.confidence["completed_per_s"]
