"""A bounded share of the fuzzer, the same cases each time, and every input that ever failed."""

import re
from collections.abc import Iterator

import pytest

from tests.fuzz import campaign, corpus
from tests.fuzz.cases import Case, CaseFile, Edit, content_of, once
from tests.fuzz.ending import Ending, faults
from tests.fuzz.known import BY_CHANCE, KNOWN, entry_of, is_known
from tests.fuzz.runner import Runner, running
from tests.fuzz.servers import SLOW_THEN

SEED = 1
CASES = {"scenarios": 60, "flags": 40, "records": 50, "servers": 20, "messages": 200}
"""How many cases of each kind the suite has; ``python -m tests.fuzz`` runs as many as it is told."""
NIGHTLY = 20
"""How many times as many with ``--nightly``."""


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running() as started:
        yield started


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_whatever_the_input_a_command_ends_as_documented(
    runner: Runner, kind: str, request: pytest.FixtureRequest
) -> None:
    """No traceback, no hang, no verdict that is none, no secret, bounded memory."""
    is_nightly = request.config.getoption("--nightly")
    numbers = [
        number
        for number in range(CASES[kind] * (NIGHTLY if is_nightly else 1))
        if is_nightly or not _waits(campaign.case_of(kind, SEED, number))
    ]
    failed = [
        f"python -m tests.fuzz {kind} --seed {SEED} --case {each.number}: {each.faults}"
        for each in campaign.failures(runner, kind, SEED, numbers, with_known=False)
    ]
    assert failed == []


def _waits(case: Case) -> bool:
    """Whether a case lasts until a time-out: a server is silent, or says one byte after another."""
    return any(reply.then in SLOW_THEN for reply in case.server or ())


@pytest.mark.slow
@pytest.mark.parametrize("kind", corpus.kinds())
def test_inputs_that_failed_once_hold_and_those_known_to_fail_still_do(
    runner: Runner, kind: str, request: pytest.FixtureRequest
) -> None:
    """What holds by now is to be removed from ``tests/fuzz/known.py``."""
    wrong, held = {}, []
    for case in corpus.cases(kind):
        known = entry_of(case)
        if known is not None and known.waits and not request.config.getoption("--nightly"):
            continue
        found = faults(case, runner.run(case))
        by_chance = f"{kind}/{case.name}" in BY_CHANCE and is_known(kind, found)
        if known is None and found and not by_chance:
            wrong[case.name] = found
        elif known is not None and not any(re.search(known.fault, each) for each in found):
            held.append(f"{kind}/{case.name}")
    assert wrong == {}
    assert held == [], "these hold now: remove them from tests/fuzz/known.py"


def test_the_list_of_known_faults_names_cases_of_the_corpus_once() -> None:
    listed = [name for each in KNOWN for name in each.cases]
    assert len(listed) == len(set(listed))
    assert set(listed) <= {f"{k}/{case.name}" for k in corpus.kinds() for case in corpus.cases(k)}


@pytest.mark.parametrize("kind", corpus.kinds())
def test_cases_of_the_corpus_have_names_of_their_own(kind: str) -> None:
    cases = corpus.cases(kind)
    assert {case.kind for case in cases} == {kind}
    names = [case.name for case in cases]
    assert all(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", CASES)
def test_a_case_is_the_same_each_time(kind: str) -> None:
    for number in range(5):
        case = campaign.case_of(kind, SEED, number)
        assert case == campaign.case_of(kind, SEED, number)
        for file in case.files.values():
            assert content_of(file) == content_of(file)


def test_edits_replace_remove_and_cut() -> None:
    path = ("counts", "due")
    text = content_of(CaseFile("run-default", (Edit(at=path, write=[("9", 3)]),))).decode()
    assert '"due": 999,' in text
    assert '"due"' not in content_of(CaseFile("comparison", (Edit(at=("alpha",)),))).decode()
    assert (
        content_of(CaseFile("scenario:smoke", (Edit(write=once("\xff"), remove=10**6),))) == b"\xff"
    )


VERIFY = Case(kind="flags", arguments=("verify",), codes=(0, 4))
GOOD = Ending(how="ended", code=0, out="all is well\n")
REFUSED = Ending(how="ended", code=2, err="bench: no: do this\n")


@pytest.mark.parametrize("ending", [GOOD, Ending(how="ended", code=4, out="no\n")])
def test_the_oracle_accepts_what_is_documented(ending: Ending) -> None:
    assert faults(VERIFY, ending) == []


@pytest.mark.parametrize(
    ("ending", "fault"),
    [
        (Ending(how="raised", err="x\nKeyError: 'x'\n"), "raised: KeyError: 'x'"),
        (Ending(how="hung"), "hung: no end after 10 s"),
        (Ending(how="died", code=-11), "died: "),
        (Ending(how="ended", code=0, out="x", seconds=11.0), "slow: 11.0 s"),
        (Ending(how="ended", code=0, out="x", peak_bytes=1 << 30), "memory: 1024 MiB"),
        (Ending(how="ended", code=0), "exit code 0 without a result"),
        (Ending(how="ended", code=1, out="x"), "exit code 1"),
        (Ending(how="ended", code=8, out="x"), "exit code 8 is not documented"),
        (Ending(how="ended", code=2, err="bench: no\n"), "exit code 2, and not 0 or 4"),
        (Ending(how="ended", code=4), "exit code 4 without a word"),
        (Ending(how="ended", code=0, out="a\x1b[2Jb"), "active characters in output"),
        (Ending(how="ended", code=0, out="k4n4r1en-v0g3l"), "secret in output"),
        (Ending(how="ended", code=0, out="x", written={"r": b"k4n4r1en-v0g3l"}), "secret in r"),
        (Ending(how="ended", code=6, err="one\ntwo\n"), "a refusal whose last line is 'two'"),
        (Ending(how="ended", code=6, err="one\nbench: two\n"), "a refusal of several lines"),
        (Ending(how="ended", code=4, err="bench: x: ValueError: y\n"), "not foreseen"),
        (
            Ending(how="ended", code=0, out="Traceback (most recent call last)\n"),
            "traceback: ",
        ),
    ],
)
def test_the_oracle_tells_what_is_not(ending: Ending, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(VERIFY, ending))


def test_the_oracle_holds_what_is_taken_against_a_case_that_must_be_refused() -> None:
    refused = Case(kind="flags", arguments=("run",), codes=(2,))
    assert faults(refused, REFUSED) == []
    assert faults(refused, Ending(how="measuring")) == ["taken, and not refused with 2"]
