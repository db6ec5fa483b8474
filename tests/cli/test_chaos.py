"""``bench chaos``: what is refused or left out before it, and whole commands with real faults."""

from pathlib import Path

import pytest

from bench.records import chaos_record
from bench.workload import library
from tests.cli.conftest import Bench, interrupted

NOWHERE = ("--redis-url", "redis://127.0.0.1:1/0")
SHORT = ("--duration", "4s", "--lasts", "200ms", "--rate", "200/s")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--only", "restrat"), "--only: there is no fault 'restrat': did you mean 'restart'?"),
        (
            ("--faults", "1s stall server 1s"),
            "--faults: this command makes its own, which --only chooses from; 'bench run' has "
            "others; leave it out",
        ),
        (
            ("--duration", "4s"),
            "runs of 4.00 s leave no time to recover: the fault begins at 1.60 s and lasts 2.00 s; "
            "give a --duration of 6.67 s or more, or shorten --lasts",
        ),
        (("--lasts", "0s"), "--lasts: it must be longer than zero"),
        (("--repeat", "0"), "--repeat must be from 1 to 1000, not 0"),
        (
            ("--slo", "lost{start} == 0"),
            "'lost{start} == 0': there is no fault 'start' here: there are kill, restart, "
            "restart-empty, failover, stall, pause, reset, fill",
        ),
        (
            ("--only", "stall", "--slo", "lost{restart} == 0"),
            "--slo: 'lost{restart} == 0': restart is left out: it is not one of those that are "
            "made",
        ),
        (
            (*NOWHERE, "--only", "restart"),
            "faults: '6s restart server': it needs a server that the run has started: remove the "
            "URL, or the fault",
        ),
        (
            ("--workers", "0", "--only", "kill"),
            "--faults: with workers = 0 the run starts none that it could stop: raise workers, or "
            "remove the faults of workers",
        ),
        (("mine.toml",), "faults: this command makes its own; remove them from the scenario"),
        (
            ("--resume", "no.json", "--repeat", "3"),
            "--resume continues no.json as it was started; remove --repeat, or start a new one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    bench: Bench, words: tuple[str, ...], line: str
) -> None:
    faulty = f'{library.text_of("chaos")}faults = ["1s stall server 1s"]\n'
    Path("mine.toml").write_text(faulty)
    outcome = bench("chaos", *words)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"bench: {line}\n")


def test_faults_that_a_server_of_others_does_not_allow_are_left_out_with_their_reasons(
    bench: Bench,
) -> None:
    """It ends where it would begin, as nobody answers there; the plan is saved."""
    outcome = bench("chaos", *NOWHERE, "--faults-on-shared", "-o", "c.json")
    assert outcome.code == 6
    made = chaos_record.load(Path("c.json"))
    assert [each.name for each in made.cases] == ["kill", "pause", "reset"]
    assert [each.name for each in made.left_out] == [
        *("restart", "restart-empty", "failover", "stall", "fill")
    ]
    assert "failover is left out: '6s failover': there is no replica" in outcome.err


def test_where_no_fault_can_be_made_nothing_passes(bench: Bench) -> None:
    outcome = bench("chaos", *NOWHERE, "--workers", "0")
    assert outcome.code == 2
    assert outcome.err.startswith("bench: no fault can be made here (kill: ")


@pytest.mark.slow
def test_a_stall_and_a_full_memory_are_measured_and_judged_each_in_a_run_of_its_own(
    bench: Bench,
) -> None:
    objectives = ("--slo", "lost{stall} == 0", "--slo", "refused{fill} == 0")
    outcome = bench("chaos", "--only", "fill,stall", *SHORT, *objectives, "-o", "c.json")
    made = chaos_record.load(Path("c.json"))
    stalled, filled = made.runs
    assert (stalled.name, filled.name, made.ended) == ("stall", "fill", "finished")
    assert all(Path("c-runs", run.file).exists() for run in made.runs)
    assert stalled.outcome is not None
    assert stalled.outcome.enqueue_gap_s is not None
    assert stalled.outcome.enqueue_gap_s >= 0.19
    assert filled.outcome is not None
    assert filled.outcome.refused > 0
    assert [each.expression for each in stalled.slo] == ["lost{stall} == 0"]
    assert "✗ refused{fill} == 0" in outcome.out
    # A busy machine may keep the generator from sending in time.
    assert outcome.code == (4 if any(run.problem for run in made.runs) else 5)
    again = bench("report", "c.json", "--html", "page.html")
    assert (again.code, Path("page.html").exists()) == (0, True)


@pytest.mark.slow
def test_what_ctrl_c_ends_is_saved_and_goes_on_where_it_was(bench: Bench, folder: Path) -> None:
    words = ("chaos", "--only", "stall,reset", *SHORT, "-o", "c.json")
    path = folder / "c.json"

    def is_time() -> bool:
        return path.exists() and b'"verdict"' in path.read_bytes()

    code, errors = interrupted(folder, words, is_time)
    assert code == 130
    assert "continue with: bench chaos --resume c.json" in errors
    before = chaos_record.load(path)
    assert [run.name for run in before.runs] == ["stall"]
    bench("chaos", "--resume", "c.json", "--quiet")
    after = chaos_record.load(path)
    assert [run.name for run in after.runs] == ["stall", "reset"]
    assert (after.runs[0], after.is_complete) == (before.runs[0], True)
