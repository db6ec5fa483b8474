"""Every report ends with what to do next: command lines that exist, and the cure of a bad run."""

import shlex
from pathlib import Path

import msgspec
import pytest

from bench.cli.app import app
from bench.records.run_record import RecordWarning, RunRecord
from bench.reports import next_steps
from bench.workload.fields import FIELDS
from tests.records.fixtures import example_record

PATH = Path("results/my run.json")


def spoilt(*codes: str, **fields: object) -> RunRecord:
    """A run that is not valid for these reasons."""
    record = example_record()
    warning = [RecordWarning(code=code, message="m") for code in codes]
    scenario = msgspec.structs.replace(record.scenario, **fields)
    return msgspec.structs.replace(
        record, verdict="unstable", warnings=warning, scenario=scenario, command="bench run smoke"
    )


def parsed(step: str) -> None:
    words = shlex.split(step)
    assert words[0] == "bench"
    app.parse_args(words[1:], exit_on_error=False, print_error=False)


def test_a_valid_run_can_be_looked_at_and_compared() -> None:
    record = msgspec.structs.replace(example_record(), slo=[])
    page, compared = next_steps.after_run(record, PATH)
    assert page == "bench report 'results/my run.json' --html page.html"
    parsed(page)
    parsed(compared.removesuffix(" compares it with another run"))


@pytest.mark.parametrize(
    ("codes", "fields", "step"),
    [
        (["schedule_lag"], {"rate_per_s": 5000.0}, "--producers 2, or --rate 2500/s"),
        (["enqueued_too_few"], {"rate_per_s": None}, "--producers 2"),
        (["backlog_grows"], {"rate_per_s": 300.0, "workers": 2}, "--workers 4, or --rate 150/s"),
        (["backlog_grows"], {"rate_per_s": 300.0, "workers": 0}, "--rate 150/s"),
        (
            ["drain_timed_out"],
            {"drain_timeout_s": 30.0, "rate_per_s": 1.0, "workers": 1},
            "--drain-timeout 60s, or --workers 2, or --rate 0.5/s",
        ),
        (
            ["backlog_grows"],
            {"rate_per_s": 300.0, "worker": "external", "worker_command": None},
            "--rate 150/s",
        ),
        (["nothing_measured"], {"duration_s": 2.5}, "--duration 5s"),
        (["clocks_disagree", "schedule_lag"], {"rate_per_s": 2.0}, "--producers 2, or --rate 1/s"),
    ],
)
def test_a_run_that_is_not_valid_is_repeated_with_the_flag_that_cures_it(
    codes: list[str], fields: dict[str, object], step: str
) -> None:
    cure, page = next_steps.after_run(spoilt(*codes, **fields), PATH)
    assert cure == f"repeat it with {step}"
    parsed(page)
    for flag in shlex.split(step.replace(", or", "")):
        assert not flag.startswith("--") or flag in {each.option for each in FIELDS.values()}
    for way in step.split(", or "):
        parsed(f"bench run {way}")


def test_a_missed_percentile_leads_to_the_search_for_the_rate_that_meets_it() -> None:
    record = example_record()
    objectives = [msgspec.structs.replace(record.slo[0], expression="e2e.p99 < 5ms", passed=False)]
    record = msgspec.structs.replace(record, slo=objectives, command="bench run smoke")
    search, _ = next_steps.after_run(record, PATH)
    assert search.startswith("bench capacity --workers 1,2,4 --slo 'e2e.p99 < 5ms' ")
    parsed(search.removesuffix(" finds the rate that meets it"))


def test_what_no_flag_cures_has_no_cure() -> None:
    assert len(next_steps.after_run(spoilt("clocks_disagree"), PATH)) == 1
    assert len(next_steps.after_run(spoilt("nothing_measured", duration_s=None), PATH)) == 1


def test_a_run_of_locust_is_given_no_flags_of_bench_run() -> None:
    record = msgspec.structs.replace(spoilt("schedule_lag"), command="locust -f x.py")
    assert len(next_steps.after_run(record, PATH)) == 1
