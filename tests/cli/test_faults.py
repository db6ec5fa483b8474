"""A plan of faults on the command line: what is refused, and what is noted, before the run."""

from pathlib import Path

import pytest

from bench.workload import library
from tests.cli.conftest import SHORT_RUN, Bench

NOWHERE = ("--redis-url", "redis://127.0.0.1:1/0")
"""A server that is not there, so that a run ends before its first task."""


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (
            ["--faults", "100ms stal server 1s"],
            "--faults: '100ms stal server 1s': 'stal' is no fault: did you mean 'stall'?",
        ),
        (
            ["--faults", "1s failover"],
            "--faults: '1s failover': the run enqueues for 300 ms, and ends then: choose an "
            "earlier moment, or a longer run",
        ),
        (
            ["--faults", "100ms kill worker 1", "--faults", "200ms kill worker 1"],
            "--faults: '200ms kill worker 1': worker 1 is ended by then: start one before, as in "
            "25s start worker, or remove it",
        ),
        (
            ["--network", "lost"],
            "--network: 'lost' says nothing of a network: did you mean 'loss'?",
        ),
        (
            ["--network", "1ms±2ms"],
            "--network: '1ms±2ms': the jitter is larger than the round trip; shorten it",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bench: Bench, flags: list[str], line: str) -> None:
    outcome = bench(*SHORT_RUN, *flags)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"bench: {line}\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["run", "mine.toml", "--distributed"],
            "faults: runs with --distributed have none; remove one of the two",
        ),
        (
            ["run", "smoke", "--network", "1ms", "--distributed"],
            "network: runs with --distributed have none; remove one of the two",
        ),
        (
            ["capacity", "mine.toml", "--workers", "1,2", "--slo", "e2e.p99 < 1s"],
            "faults: a rate is sustained when nothing disturbs it; 'bench run' has faults; remove "
            "them from the scenario",
        ),
        (
            ["capacity", "--workers", "1,2", "--faults", "1s failover"],
            "--faults: a rate is sustained when nothing disturbs it; 'bench run' has faults; leave "
            "it out",
        ),
    ],
)
def test_where_there_are_no_faults_they_are_refused(
    bench: Bench, folder: Path, words: list[str], line: str
) -> None:
    (folder / "mine.toml").write_text(
        library.text_of("smoke") + '\n[[faults]]\nat = "1s"\ndo = "restart server"\n'
    )
    outcome = bench(*words)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"bench: {line}\n")


def test_a_table_in_a_file_is_refused_as_the_files(bench: Bench, folder: Path) -> None:
    text = library.text_of("smoke") + '\n[[faults]]\nat = "1s"\ndo = "restart sever"\n'
    (folder / "mine.toml").write_text(text)
    outcome = bench("run", "mine.toml")
    assert outcome.code == 2
    assert outcome.err.startswith("bench: mine.toml: faults: 'restart sever': 'sever' is not known")


def test_a_fault_that_the_figures_leave_out_is_noted_unless_the_run_is_quiet(bench: Bench) -> None:
    words = [*SHORT_RUN, *NOWHERE, "--warmup", "200ms", "--faults", "100ms kill worker 1"]
    noted = bench(*words)
    assert noted.code == 6
    assert "bench: faults: '100ms kill worker 1' begins within the warm-up" in noted.err
    assert "warm-up" not in bench(*words, "--quiet").err
