"""``bench run`` on a server of its own: what it prints, saves and returns."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.records import restarts_record, run_record
from bench.records.run_record import RunRecord
from tests.cli.conftest import SHORT_RUN, Bench, expected_code

pytestmark = pytest.mark.slow


def only_record() -> tuple[Path, RunRecord]:
    """The one file under results/."""
    (path,) = Path("results").iterdir()
    return path, run_record.load(path)


def test_json_is_the_record_alone_and_its_ledger_adds_up(bench: Bench) -> None:
    words = ["run", "smoke", "--duration", "1s", "--rate", "300/s", "--json", "--quiet"]
    outcome = bench(*words)
    path, saved = only_record()
    assert outcome.err == ""
    assert outcome.code == expected_code(saved)
    assert outcome.out == path.read_text()
    printed = msgspec.json.decode(outcome.out, type=RunRecord)
    assert printed == saved
    assert printed.command == "bench " + " ".join(words)
    assert list(printed.queues) == ["inference_high", "inference_default", "inference_low"]
    for counts in (printed.counts, *printed.queues.values()):
        assert counts.due == counts.enqueued + counts.unknown + counts.not_sent
        assert counts.enqueued == (counts.ended + counts.pending + counts.active + counts.lost)
    assert printed.counts.due == sum(counts.due for counts in printed.queues.values()) == 300


def test_the_report_is_printed_and_again_from_the_file_it_names(bench: Bench) -> None:
    outcome = bench(*SHORT_RUN)
    path, saved = only_record()
    assert outcome.code == expected_code(saved)
    assert outcome.out.startswith(saved.verdict.upper().replace("_", " "))
    assert outcome.out.endswith(f"record: {path}\n")
    assert bench("report", str(path)).out == outcome.out
    phases = [line.split()[2] for line in outcome.err.splitlines()]
    assert phases[0] == "enqueueing"
    assert set(phases) <= {"enqueueing", "draining", "stopping", "cleaning"}


def test_quiet_says_nothing_when_all_is_well(bench: Bench, folder: Path) -> None:
    outcome = bench(*SHORT_RUN, "--quiet", "-o", "deep/down/record.json")
    saved = run_record.load(folder / "deep/down/record.json")
    assert outcome.err == ""
    assert outcome.code == expected_code(saved)
    assert (outcome.out == "") == (outcome.code == 0)


def test_an_objective_that_was_missed_is_exit_code_5(bench: Bench) -> None:
    words = ["--slo", "e2e.p50 < 1us", "--slo", "lost == 0", "-o", "record.json", "--quiet"]
    outcome = bench(*SHORT_RUN, *words)
    saved = run_record.load(Path("record.json"))
    passed = {objective.expression: objective.passed for objective in saved.slo}
    assert passed == {"e2e.p50 < 1us": False, "lost == 0": True}
    assert outcome.code == expected_code(saved)
    assert outcome.code in (5, 4)
    assert "✗ e2e.p50 < 1us   measured: " in outcome.out
    assert "✓ lost == 0   measured: 0\n" in outcome.out


def test_redis_url_is_ignored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        port = listener.getsockname()[1]
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
        bench(*SHORT_RUN, "--json", "-o", "record.json")
        with pytest.raises(BlockingIOError):  # nobody called
            listener.accept()
    assert run_record.load(Path("record.json")).counts.enqueued == 60


def test_flags_override_single_fields_of_a_file(bench: Bench, folder: Path) -> None:
    (folder / "mine.toml").write_text(
        'queues = { mine_one = 1 }\nrate = "100/s"\nduration = "1m"\nseed = 4\nworkers = 0\n'
    )
    outcome = bench("run", "mine.toml", "--duration", "200ms", "--payload-size", "300B", "--json")
    scenario = json.loads(outcome.out)["scenario"]
    assert (scenario["name"], scenario["seed"], scenario["workers"]) == ("mine", 4, 0)
    assert (scenario["duration_s"], scenario["payload_size"]["mean"]) == (0.2, 300.0)
    assert json.loads(outcome.out)["counts"]["pending"] == 20


def test_restarts_leave_a_record_of_each_start_and_one_of_all(bench: Bench, folder: Path) -> None:
    outcome = bench(*SHORT_RUN, "--restarts", "2", "-o", "all.json")
    made = restarts_record.load(Path("all.json"))
    assert [run.file for run in made.runs] == ["all-1.json", "all-2.json"]
    saved = [run_record.load(Path(run.file)) for run in made.runs]
    assert len({each.id for each in saved}) == 2
    codes = {expected_code(each) for each in saved}
    assert outcome.code == (4 if 4 in codes else max(codes))
    assert made.is_complete
    assert [spread.metric for spread in made.spreads][:2] == ["completed.rate", "e2e.p50"]
    assert outcome.out.endswith("record: all.json\n")
    assert bench("report", "all.json").out == outcome.out
    assert bench("report", "all.json", "--html", "page.html").out == "page: page.html\n"
    assert "started 2 times" in Path("page.html").read_text()


PRECISE = ("--until", "e2e.p50 ±5%")
"""It would need a longer run, which is no cure for runs that cannot end by it."""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--restarts", "0"), "--restarts must be from 1 to 1000, not 0"),
        (("--restarts", "2", "--keep"), "--restarts cannot be combined with --keep"),
        (("--restarts", "2", "--distributed"), "cannot be combined with --distributed"),
        (("--repeat", "0"), "--repeat must be from 1 to 1000, not 0"),
        (("--repeat", "2"), "--repeat is for runs with faults: add --faults"),
        (("--repeat", "2", "--keep"), "--repeat cannot be combined with --keep"),
        (("--repeat", "2", "--restarts", "2"), "--repeat cannot be combined with --restarts"),
        (("--restarts", "2", *PRECISE), "--until: the runs of one command are compared, and all"),
        (("--distributed", *PRECISE), "--until: only a run without Locust ends by it: remove it"),
    ],
)
def test_restarts_that_cannot_be_made_are_refused(
    bench: Bench, words: tuple[str, ...], told: str
) -> None:
    outcome = bench(*SHORT_RUN, *words)
    assert outcome.code == 2
    assert told in outcome.err


def test_a_record_in_standard_output_stands_there_alone() -> None:
    """Once, and without a report behind it, even where the run missed an objective."""
    words = [*SHORT_RUN, "--slo", "e2e.p50 < 1us", "-o", "/dev/fd/1"]
    ended = subprocess.run(
        [sys.executable, "-m", "bench", *words], capture_output=True, check=False
    )
    assert ended.returncode == expected_code(msgspec.json.decode(ended.stdout, type=RunRecord))
    assert not Path("results").exists()
