"""The report at a terminal: golden files, looked at as a person would."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from bench.measure import verdict
from bench.measure.bottleneck import MachineUse
from bench.measure.ledger import Counts
from bench.measure.priorities import Inversion
from bench.measure.progress import Behind, Gathered, Progress
from bench.records.run_record import LatencySummary, RecordWarning, RunRecord, SloResult
from bench.reports import run_text
from bench.reports.progress import live_view, plain_line
from bench.reports.run import print_report, render
from bench.workload.scenario_fields import WorkerStart
from tests import golden
from tests.measure.test_verdict import GOOD
from tests.records.fixtures import HIGH, LOW, example_record

EMPTY = LatencySummary(count=0)


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run in, the report is plain text and 100 columns wide."""
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)


def printed(record: RunRecord, capsys: pytest.CaptureFixture[str], path: Path | None = None) -> str:
    print_report(record, path)
    return capsys.readouterr().out


def lossy_record() -> RunRecord:
    """Tasks were lost and doubled, more came late, an objective had no data."""
    record = example_record()
    return msgspec.structs.replace(
        record,
        verdict="lossy",
        warnings=[
            RecordWarning(
                "lost",
                "12 enqueued tasks disappeared (neither finished, pending nor active): look for "
                "evicted keys, other consumers of these queues, and workers that drop tasks",
            ),
            RecordWarning(
                "drain_timed_out",
                "the drain timed out with 3 pending or active tasks left: offer less load, add "
                "workers, or raise --drain-timeout",
            ),
        ],
        counts=msgspec.structs.replace(
            record.counts, completed=10_184, lost=12, duplicated=3, unknown=1
        ),
        slo=[
            SloResult("e2e.p99 < 5ms", 0.1425, False),
            SloResult("e2e{inference_low}.max < 1s", None, False),
            SloResult("lost == 0", 12, False),
            SloResult("enqueue.rate >= 800/s", 850.0, True),
        ],
    )


def closed_loop_record() -> RunRecord:
    """Nobody served the one queue, so most intervals are empty."""
    record = example_record()
    queue = "inference_high"
    served = ("e2e", "e2e_from_send", "queue_wait", "service")
    return msgspec.structs.replace(
        record,
        warnings=[],
        slo=[],
        scenario=msgspec.structs.replace(record.scenario, arrivals="max", rate_per_s=None),
        rates=msgspec.structs.replace(record.rates, asked_per_s=None, completed_per_s=None),
        counts=Counts(due=10_200, enqueued=10_200, pending=10_200),
        queues={queue: record.queues[queue]},
        latency={
            interval: {
                name: EMPTY if interval in served else record.latency[interval][name]
                for name in ("all", queue)
            }
            for interval in record.latency
        },
        warmup=msgspec.structs.replace(record.warmup, method="fixed", e2e_max_s=None),
        resources=msgspec.structs.replace(
            record.resources,
            worker_cpu_cores=None,
            server_cpu_us_per_task=None,
            server_memory_bytes_per_task=None,
        ),
    )


def inverted_record(worker_start: WorkerStart = "after-fill") -> RunRecord:
    """An external worker served the lowest priority first."""
    record = example_record()
    found = [
        Inversion(
            statistic=statistic,
            interval="e2e",
            higher=HIGH,
            higher_s=high_s,
            lower=LOW,
            lower_s=low_s,
            least_difference_s=0.8 * (high_s - low_s),
        )
        for statistic, high_s, low_s in (("p50", 0.534, 0.211), ("p90", 0.61, 0.295))
    ]
    is_drain = worker_start == "after-fill"
    _, reasons = verdict.judge(replace(GOOD, inversions=found, is_drain=is_drain))
    return msgspec.structs.replace(
        record,
        inversions=found,
        warnings=[RecordWarning(reason.code, reason.message) for reason in reasons],
        scenario=msgspec.structs.replace(record.scenario, worker_start=worker_start),
    )


def test_a_valid_run(capsys: pytest.CaptureFixture[str]) -> None:
    golden.check("valid.txt", printed(example_record(), capsys, Path("record.json")))


def test_an_invalid_run_leads_with_its_verdict_its_warnings_and_missed_objectives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden.check("lossy.txt", printed(lossy_record(), capsys))


def test_a_closed_loop_without_workers_shows_what_there_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden.check("closed-loop.txt", printed(closed_loop_record(), capsys))


def test_a_run_without_a_latency_has_no_table_of_latencies(
    capsys: pytest.CaptureFixture[str],
) -> None:
    record = closed_loop_record()
    latency = {
        interval: dict.fromkeys(queues, EMPTY) for interval, queues in record.latency.items()
    }
    rates = msgspec.structs.replace(record.rates, enqueued_per_s=None, completed_per_s=None)
    counts = Counts(due=9, enqueued=9, completed=9)
    changed = msgspec.structs.replace(record, latency=latency, rates=rates, counts=counts)
    text = printed(changed, capsys)
    assert "no rate measured" in text.splitlines()[0]
    assert "no rate of completion measured" in text  # it was in the warm-up: not nothing completed
    assert "p50" not in text
    assert "ledger" in text


def test_a_drain_that_served_low_priority_first_says_so_below_its_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden.check("inverted-drain.txt", printed(inverted_record(), capsys))


def test_an_inversion_is_a_warning_and_in_no_headline_unless_in_a_drain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(inverted_record("with-run"), capsys).splitlines()
    inversion = "! inference_high took longer than inference_low (e2e p50 534 ms "
    assert any(line.startswith(inversion) for line in lines)
    assert "inference_high" not in lines[0]


@pytest.mark.parametrize(
    "verdict", ["lossy", "incomplete", "generator_limited", "unstable", "valid"]
)
def test_the_first_figure_stands_behind_the_verdict(
    capsys: pytest.CaptureFixture[str], verdict: str
) -> None:
    record = msgspec.structs.replace(example_record(), verdict=verdict)
    first = printed(record, capsys).splitlines()[0]
    assert first.startswith(verdict.upper().replace("_", " "))
    assert ("do not quote these figures" in first) == (verdict != "valid")


def test_no_line_is_wider_than_a_hundred_columns_nor_coloured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for record in (example_record(), lossy_record(), closed_loop_record()):
        text = printed(record, capsys)
        assert "\x1b" not in text
        assert max(len(line) for line in text.splitlines()) <= 100


def progress(**changes: object) -> Progress:
    values: dict[str, object] = {
        "phase": "enqueueing",
        "elapsed_s": 3.25,
        "planned_s": 12.0,
        "planned_tasks": None,
        "due": 2762,
        "enqueued": 2762,
        "finished": 2740,
        "offered_per_s": 850,
        "enqueued_per_s": 850,
        "finished_per_s": 846,
        "backlog": {"inference_high": 2, "inference_low": 1020},
        "p50_s": 0.0064,
        "p99_s": 0.1821,
    }
    return Progress(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "shown"),
    [
        ({"cores": 4, "usable_cores": 4, "cpu_quota_cores": None}, "of 4,"),
        ({"cores": 8, "usable_cores": 4, "cpu_quota_cores": None}, "of 4 usable of 8,"),
        ({"cores": 4, "usable_cores": 4, "cpu_quota_cores": 1.5}, "of 4, quota 1.5,"),
        ({"cores": 4}, "of 4,"),  # an older record
    ],
)
def test_cores_that_the_run_may_not_use_are_told(facts: dict[str, object], shown: str) -> None:
    use = MachineUse(
        cores=4,
        quota_cores=None,
        throttled_share=None,
        user_cores=1.0,
        system_cores=0.5,
        steal_cores=0.0,
        server_cores=0.5,
        generator_cores=0.5,
        worker_cores=0.5,
        harness_cores=0.0,
        other_cores=0.25,
    )
    record = example_record()
    record = msgspec.structs.replace(
        record,
        environment={**record.environment, **facts},
        resources=msgspec.structs.replace(record.resources, machine=use),
    )
    assert f"machine 1.50 {shown} others 0.25" in run_text.machine(record)


@pytest.mark.parametrize(
    ("fields", "is_said"),
    [
        ({"prefetch": 64}, True),
        ({"prefetch": 1}, False),
        ({"prefetch": 64, "workers": 0}, False),
        ({"prefetch": 64, "worker": "external"}, False),
    ],
)
def test_a_report_says_where_its_workers_take_more_than_a_real_one(
    fields: dict[str, Any], is_said: bool
) -> None:
    record = example_record()
    scenario = msgspec.structs.replace(record.scenario, **fields)
    lines = list(run_text.throughput(msgspec.structs.replace(record, scenario=scenario)))
    assert any("--prefetch 1 measures that" in line for line in lines) == is_said


def test_a_state_is_one_line_where_there_is_no_terminal() -> None:
    lines = [
        progress(elapsed_s=0.0, phase="enqueueing", p50_s=None, p99_s=None, backlog={}),
        progress(),
        progress(elapsed_s=123.4, phase="draining", enqueued_per_s=1_234_567),
        progress(phase="waiting", elapsed_s=2.0, gathered=Gathered(1, 2)),
        progress(phase="enqueueing", behind=Behind(1.25, 400_000, 13.0)),
        progress(phase="draining", drain_left_s=18.5, enqueued=900_000, finished=1),
        progress(finished=0, unserved="no worker has taken a task, and the run ends in 28 s"),
        progress(grows_per_s=120.5),
        progress(grows_per_s=120.5, phase="draining"),
    ]
    golden.check("plain-lines.txt", "".join(f"{plain_line(line)}\n" for line in lines))


def test_what_a_run_waits_for_is_said_at_once_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other lines are five seconds apart."""
    monkeypatch.setattr("bench.reports.progress.console_for_progress", lambda: None)
    late = progress(behind=Behind(1.25, 400_000, 13.0))
    long = progress(phase="draining", drain_left_s=18.5, enqueued=900_000)
    with live_view(example_record().scenario, is_quiet=False) as show:
        for state in (progress(), progress(), late, progress(), late, long, long):
            show(state)
    assert capsys.readouterr().err == "".join(
        f"{plain_line(state)}\n" for state in (progress(), late, long)
    )


@pytest.mark.parametrize("width", [60, 80, 92, 100])
def test_no_figure_is_cut_off(width: int) -> None:
    record = lossy_record()
    counts = msgspec.structs.replace(record.counts, pending=1184, not_sent=3)
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    for part in render(msgspec.structs.replace(record, counts=counts), None, width):
        console.print(part)
    assert "…" not in text.getvalue()
