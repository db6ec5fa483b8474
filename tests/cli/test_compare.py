"""``bench compare``: what it decides, what it refuses, and in which words."""

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.measure.ledger import total
from bench.records import run_record
from bench.records.run_record import RunRecord
from tests.cli.conftest import Bench
from tests.records.fixtures import example_record

EXAMPLE = example_record()
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
WOBBLE = (0.0, 0.012, -0.008, 0.004, -0.011, 0.009, -0.003, 0.006)


def run(minute: int, factor: float = 1.0, **changes: object) -> RunRecord:
    """The example, begun at a minute, with latencies times a factor."""
    latency = {
        stage: {
            queue: msgspec.structs.replace(
                each,
                p50_s=None if each.p50_s is None else each.p50_s * factor,
                p99_s=None if each.p99_s is None else each.p99_s * factor,
                confidence={},  # it was that of the example's own figures
            )
            for queue, each in by_queue.items()
        }
        for stage, by_queue in EXAMPLE.latency.items()
    }
    began = START + datetime.timedelta(minutes=minute)
    return msgspec.structs.replace(
        EXAMPLE,
        id=f"{minute:08x}",
        latency=latency,
        started_at=began.isoformat(timespec="milliseconds"),
        **changes,
    )


def save(worse: float, count: int = 8, **changes: object) -> None:
    """``base/`` and ``candidate/``: ABBA pairs, the candidate slower by a share."""
    for pair in range(count):
        first, second = (0, 1) if pair % 2 == 0 else (1, 0)
        base = run(2 * pair + first, 1 + WOBBLE[pair % 8])
        candidate = run(2 * pair + second, 1 + worse + WOBBLE[(pair + 3) % 8], **changes)
        run_record.save(base, Path(f"base/{pair}.json"))
        run_record.save(candidate, Path(f"candidate/{pair}.json"))


FOLDERS = ("compare", "base", "--", "candidate")


@pytest.mark.parametrize(
    ("worse", "code", "first"),
    [
        (0.2, 1, "REGRESSION"),
        (0.0, 0, "NO WORSE"),
        (-0.2, 0, "IMPROVEMENT"),
        (0.05, 3, "INCONCLUSIVE"),
    ],
)
def test_folders_against_folders(bench: Bench, worse: float, code: int, first: str) -> None:
    save(worse)
    outcome = bench(*FOLDERS)
    assert (outcome.code, outcome.err) == (code, "")
    assert outcome.out.startswith(f"{first}  priority: ")


def test_files_against_files_with_every_output(bench: Bench) -> None:
    save(0.2)
    base = sorted(str(path) for path in Path("base").iterdir())
    candidate = sorted(str(path) for path in Path("candidate").iterdir())
    outputs = ("--markdown", "out/a.md", "--junit", "out/b.xml", "--json", "out/c.json")
    outcome = bench("compare", "--quiet", *base, "--", *candidate, *outputs)
    assert (outcome.code, outcome.out, outcome.err) == (1, "", "")
    assert Path("out/a.md").read_text().startswith("### ❌ bench: priority: 2 regressions")
    assert 'failures="2"' in Path("out/b.xml").read_text()
    written = json.loads(Path("out/c.json").read_text())
    assert written["exit_code"] == 1
    assert written["base"]["what"] == "base/0.json and 7 more"


def test_its_record_is_reported_again(bench: Bench) -> None:
    save(0.2)
    said = bench(*FOLDERS, "--json", "gate.json").out
    assert bench("report", "gate.json").out == said
    assert json.loads(bench("report", "gate.json", "--json").out)["exit_code"] == 1


def test_on_github_the_job_shows_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save(0.2)
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    outcome = bench(*FOLDERS, "--quiet")
    assert outcome.out.count("::error title=bench priority::") == 2
    assert summary.read_text().startswith("before\n### ❌")


def test_a_summary_that_cannot_be_written_decides_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(0.2)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "missing/summary.md")
    outcome = bench(*FOLDERS, "--quiet")
    assert outcome.code == 1
    assert outcome.out.count("::error title=bench priority::") == 2
    assert outcome.err == (
        "bench: the job's summary missing/summary.md cannot be written: No such file or directory\n"
    )


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs a full device")
@pytest.mark.parametrize(("change", "code"), [(0.2, 1), (0.0, 2)])
def test_a_report_that_cannot_be_saved_fails_a_gate_that_passes(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: float, code: int
) -> None:
    """A regression stays one, and everything else that was asked for is written."""
    save(change)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    outcome = bench(*FOLDERS, "--junit", "/dev/full", "--markdown", "gate.md")
    assert outcome.code == code
    assert outcome.err.startswith("bench: cannot write /dev/full: No space left on device; ")
    assert Path("gate.md").read_text().startswith("### ")


@pytest.mark.slow
def test_a_record_in_standard_output_stands_there_alone() -> None:
    """Annotations of GitHub are then in standard error, which it reads as well."""
    save(0.2)
    ended = subprocess.run(
        [sys.executable, "-m", "bench", *FOLDERS, "--json", "/dev/fd/1"],
        env={**os.environ, "GITHUB_ACTIONS": "true"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == json.loads(ended.stdout)["exit_code"] == 1
    assert ended.stderr.count(b"::error title=bench priority::") == 2


def test_metrics_and_the_margin_can_be_chosen(bench: Bench) -> None:
    save(0.2)
    assert bench(*FOLDERS, "--margin", "30%").code == 0
    outcome = bench(*FOLDERS, "--gate", "enqueue.rate")
    assert outcome.code == 0
    assert "enqueue.rate" in outcome.out


def test_lost_tasks_are_a_regression_whatever_the_speed(bench: Bench) -> None:
    queues = dict(EXAMPLE.queues)
    name, counts = next(iter(queues.items()))
    queues[name] = msgspec.structs.replace(counts, completed=counts.completed - 3, lost=3)
    save(-0.2, queues=queues, counts=total(queues.values()))
    outcome = bench(*FOLDERS)
    assert outcome.code == 1
    assert "✗ the candidate lost 24 tasks, the base 0" in outcome.out


def other_payload() -> None:
    scenario = msgspec.structs.replace(EXAMPLE.scenario, pipeline=77)
    save(0.0, scenario=scenario)


def other_server() -> None:
    save(0.0, server={**EXAMPLE.server, "version": "9.9.9"})


def not_in_turns() -> None:
    save(0.0)
    for pair in range(8):
        run_record.save(run(100 + pair), Path(f"candidate/{pair}.json"))


def invalid_run() -> None:
    save(0.0)
    run_record.save(run(0, verdict="unstable"), Path("base/0.json"))


@pytest.mark.parametrize(
    ("prepare", "code", "said", "allowed"),
    [
        (other_payload, 2, "differ in --pipeline (256 versus 77)", "pipeline"),
        (other_server, 2, "differ in server.version (9.1.0 versus 9.9.9)", "server"),
        (not_in_turns, 2, "the runs of the two sides do not alternate", "order"),
        (invalid_run, 4, "run 00000000 of 2026-01-01T00:00:00.000+00:00 is unstable", "verdict"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_unless_allowed(
    bench: Bench, prepare: Callable[[], None], code: int, said: str, allowed: str
) -> None:
    prepare()
    outcome = bench(*FOLDERS)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert said in outcome.err
    assert f"--allow {allowed}" in outcome.err
    assert bench(*FOLDERS, "--allow", allowed).code in (0, 3)


def everything_at_once() -> None:
    """Other settings of each group, in two blocks, with an invalid run on each side."""
    scenario = msgspec.structs.replace(EXAMPLE.scenario, pipeline=77, rate_per_s=1000.0)
    server = {**EXAMPLE.server, "version": "9.9.9", "io_threads": "4"}
    for number in range(4):
        verdict = "unstable" if number == 2 else "valid"
        run_record.save(run(number, verdict=verdict), Path(f"base/{number}.json"))
        other = run(50 + number, scenario=scenario, server=server, verdict=verdict)
        run_record.save(other, Path(f"candidate/{number}.json"))


def test_all_that_is_in_the_way_is_named_at_once_with_one_flag_that_allows_it(
    bench: Bench,
) -> None:
    everything_at_once()
    outcome = bench(*FOLDERS)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "bench: the runs differ in --rate (850/s versus 1000/s); --pipeline (256 versus 77); "
        "server.version (9.1.0 versus 9.9.9); server.io_threads (1 versus 4); and the runs of the "
        "two sides do not alternate, so a drift of the machine would look like a change "
        "('bench ab' alternates); and run 00000002 of 2026-01-01T00:02:00.000+00:00 is unstable, "
        "and 1 more run not valid either; remove such runs, or add --allow settings,order,verdict "
        "to compare them anyway\n"
    )
    flag = outcome.err.partition(" add ")[2].split()[:2]
    assert bench(*FOLDERS, *flag).code in (0, 3)


@pytest.mark.parametrize("flag", ["pipeline,server.version", "scenario.pipeline, server"])
def test_a_setting_is_allowed_by_its_short_name_and_by_its_full_one(
    bench: Bench, flag: str
) -> None:
    scenario = msgspec.structs.replace(EXAMPLE.scenario, pipeline=77)
    save(0.0, scenario=scenario, server={**EXAMPLE.server, "version": "9.9.9"})
    assert "add --allow pipeline,server.version to" in bench(*FOLDERS).err
    assert bench(*FOLDERS, "--allow", flag).code in (0, 3)
    unknown = bench(*FOLDERS, "--allow", "pipelin")
    assert unknown.code == 2
    assert "did you mean 'pipeline'" in unknown.err


def truncated() -> None:
    save(0.0)
    path = Path("candidate/3.json")
    path.write_bytes(path.read_bytes()[:1000])


def other_format() -> None:
    save(0.0)
    path = Path("candidate/3.json")
    path.write_bytes(path.read_bytes().replace(b"runqy-bench/1", b"runqy-bench/7"))


def empty_folder() -> None:
    save(0.0)
    for path in Path("candidate").iterdir():
        path.unlink()


def no_folder() -> None:
    save(0.0)
    Path("candidate").rename("elsewhere")


def given_twice() -> None:
    save(0.0)
    Path("candidate/3.json").write_bytes(Path("base/0.json").read_bytes())


def one_fewer() -> None:
    save(0.0)
    Path("candidate/3.json").unlink()


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (truncated, "candidate/3.json: not a run record: "),
        (other_format, "candidate/3.json: format runqy-bench/7; this version of bench reads"),
        (empty_folder, "candidate: there is no run record in this folder"),
        (no_folder, "candidate: No such file or directory"),
        (given_twice, "run 00000000 was given 2 times, but counts only once"),
        (one_fewer, "8 runs of the base and 7 of the candidate cannot be paired"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_2(
    bench: Bench, prepare: Callable[[], None], said: str
) -> None:
    prepare()
    outcome = bench(*FOLDERS)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert said in outcome.err


def test_a_folder_may_hold_other_files_and_a_line_says_what_was_skipped(bench: Bench) -> None:
    save(0.0)
    Path("base/gate.json").write_text('{"format": "runqy-bench-gate/2"}')
    outcome = bench(*FOLDERS)
    assert outcome.code == 0
    assert outcome.err == ("bench: base: skipped 1 file, not a run record: 1 of a comparison\n")


def test_one_run_a_side_proves_nothing_and_says_how_many_would(bench: Bench) -> None:
    save(0.2, 1)
    outcome = bench(*FOLDERS)
    assert outcome.code == 3
    assert "inconclusive: needs 10 pairs" in " ".join(outcome.out.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "a single '--' must separate"),
        (("base/0.json",), "a single '--' must separate"),
        (("base", "candidate"), "a single '--' must separate"),
        (("--", "candidate"), "a single '--' must separate"),
        (("base", "--"), "a single '--' must separate"),
        (("base", "--", "candidate", "--", "more"), "a single '--' must separate"),
        (("base", "--", "candidate", "--nonesuch"), "unknown option '--nonesuch'"),
        (("base", "--", "candidate", "--gate", "speed"), "'speed' is not measured"),
        (("base", "--", "candidate", "--margin", "much"), "'much' is not a share"),
        (("base", "--", "candidate", "--json", "base"), "cannot write base: it is a folder"),
    ],
)
def test_a_request_that_makes_no_sense_is_one_line_and_exit_code_2(
    bench: Bench, words: tuple[str, ...], said: str
) -> None:
    save(0.0)
    outcome = bench("compare", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert said in outcome.err
