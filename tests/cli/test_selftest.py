"""``bench selftest`` and ``bench run --selftest`` as commands."""

from pathlib import Path

import msgspec
import pytest

from bench import environment
from bench.records import run_record, selftest_record
from bench.records.selftest_record import SelftestRecord
from bench.selftest import steps
from bench.selftest.steps import Setting
from tests.cli.conftest import SHORT_RUN, Bench, expected_code, interrupted
from tests.records.selftest_fixtures import good, wrong

FILE = Path("s.json")


def made_here(**changes: object) -> SelftestRecord:
    """A self-test of this machine."""
    return good(environment=environment.describe(1, 1), **changes)


def write(record: SelftestRecord) -> None:
    selftest_record.save(record, FILE)


@pytest.mark.parametrize(
    ("environment_changes", "line"),
    [
        ({"cores": 999}, "it is of another machine or version: cores: 999 there, "),
        ({"python": "2.7"}, "it is of another machine or version: python: 2.7 there, "),
        ({"packages": {"bench": "0.0.1"}}, "bench: 0.0.1 there, "),
    ],
)
def test_a_selftest_of_another_machine_or_version_is_refused_and_the_difference_named(
    bench: Bench, environment_changes: dict[str, object], line: str
) -> None:
    here = made_here()
    write(msgspec.structs.replace(here, environment={**here.environment, **environment_changes}))
    outcome = bench("run", "--selftest", str(FILE))
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bench: --selftest s.json: ")
    assert line in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_selftest_that_did_not_end_and_other_files_are_refused(bench: Bench) -> None:
    write(made_here(ended="interrupted"))
    outcome = bench("run", "--selftest", str(FILE))
    assert (outcome.code, outcome.err) == (
        2,
        "bench: --selftest s.json: it did not come to its end: make another one\n",
    )
    Path("other.json").write_text('{"format": "runqy-bench/1"}')
    for name in ("other.json", "no.json"):
        outcome = bench("run", "--selftest", name)
        assert outcome.code == 2
        assert outcome.err.startswith(f"bench: {name}: ")


@pytest.mark.slow
def test_a_run_carries_the_selftest_and_its_report_shows_it(bench: Bench) -> None:
    write(made_here())
    outcome = bench(*SHORT_RUN, "--selftest", str(FILE), "-o", "run.json")
    run = run_record.load(Path("run.json"))
    assert outcome.code == expected_code(run)
    assert run.selftest == selftest_record.load(FILE)
    assert "selftest of this machine, " in outcome.out
    assert "all 7 checks agree" in outcome.out
    again = bench("report", "run.json")
    assert "all 7 checks agree" in again.out


@pytest.mark.parametrize(
    ("found", "code"), [(good(), 0), (wrong(), 4), (good(delays=wrong().delays[-1:]), 3)]
)
def test_the_exit_code_says_whether_everything_agrees(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, found: SelftestRecord, code: int
) -> None:
    """The steps are replaced by what they might have found; order, record and report are real."""

    def step(_: Setting) -> SelftestRecord:
        return msgspec.structs.replace(found, problems=[])

    monkeypatch.setattr(steps, "STEPS", {"delays": step})
    outcome = bench("selftest", "-o", str(FILE), "--quick")
    saved = selftest_record.load(FILE)
    assert outcome.code == code
    assert (saved.delays, saved.counts, saved.is_quick) == (found.delays, found.counts, True)
    assert outcome.out.startswith("selftest: ")
    assert "step 1 of 1: delays" in outcome.err
    assert bench("selftest", "-o", str(FILE), "-q").out.startswith("selftest: ") == (code != 0)
    written = bench("selftest", "-o", str(FILE), "--json").out
    assert written == FILE.read_text()


@pytest.mark.parametrize("kind", [("--json",), ("--markdown",), ("--html", "page.html"), ()])
def test_a_saved_selftest_is_shown_in_every_form(bench: Bench, kind: tuple[str, ...]) -> None:
    write(good())
    outcome = bench("report", str(FILE), *kind)
    assert (outcome.code, outcome.err) == (0, "")
    assert (
        "Self-test of this machine" in Path("page.html").read_text()
        if "--html" in kind
        else ("planted" in outcome.out)
    )


def test_a_place_that_cannot_be_written_is_refused_before_anything_starts(bench: Bench) -> None:
    Path("file").write_text("")
    outcome = bench("selftest", "-o", "file/s.json")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1


@pytest.mark.slow
def test_ctrl_c_keeps_the_steps_that_were_carried_out(folder: Path) -> None:
    def has_begun() -> bool:
        return (folder / FILE).exists()

    code, errors = interrupted(folder, ("selftest", "--quick", "-o", str(FILE)), has_begun)
    found = selftest_record.load(folder / FILE)
    assert code == 130
    assert found.ended == "interrupted"
    assert len(found.steps) < len(steps.STEPS)
    assert "interrupted: s.json has the steps that were carried out" in errors
