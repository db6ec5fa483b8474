"""``bench capacity`` and ``bench plan``: a short search, an interrupted one, and bad requests."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from bench.errors import RecordError
from bench.records import capacity_record
from bench.records.capacity_record import Effort
from tests.cli.conftest import Bench, interrupted
from tests.records.capacity_fixtures import found, searched, seconds_of

SLO = ("--slo", "e2e.p99 < 200ms")
TINY = Effort(budget_s=60.0, initial_s=0.3, final_s=0.3, sum_s=0.6, exceed_ratio=0.34, width=1.0)
"""Trials too short to believe, and long enough to see that all parts fit."""


@pytest.mark.slow
def test_an_interrupted_search_goes_on_and_leaves_one_record(bench: Bench, tmp_path: Path) -> None:
    """It is made of real runs, and keeps the trials that it had."""
    words = ["capacity", "--slots", "2", *SLO, "-o", "capacity.json"]
    path = tmp_path / "capacity.json"

    def has_a_trial() -> bool:
        try:
            return bool(capacity_record.load(path).trials)
        except RecordError:  # it is not there yet, or only for a moment, as it is tried out
            return False

    code, errors = interrupted(tmp_path, words, has_a_trial)
    assert code == 130, errors
    assert errors.splitlines()[-1] == (
        "bench: interrupted; continue with: bench capacity --resume capacity.json"
    )
    record = capacity_record.load(path)
    assert [trial.purpose for trial in record.trials] == ["fill"]
    capacity_record.save(msgspec.structs.replace(record, effort=TINY), path)
    outcome = bench("capacity", "--resume", "capacity.json")
    assert outcome.code in (0, 3, 5), outcome.err
    made = capacity_record.load(path)
    assert made.is_complete
    assert made.trials[0] == record.trials[0]
    assert [trial.purpose for trial in made.trials[:3]] == ["fill", "saturation", "search"]
    for trial in made.trials:
        assert (Path("capacity-trials") / trial.file).exists()
    assert made.redis is not None
    assert made.redis.memory_bytes_per_queued_task
    assert made.service is not None
    assert made.service.mean_s > 0.001  # of 2 ms on average; how much more is the machine's
    assert outcome.out.splitlines()[-1] == "record: capacity.json"
    assert "trial 3: slots 2 at " in outcome.err
    assert bench("report", "capacity.json").out.splitlines()[0] == outcome.out.splitlines()[0]


@pytest.mark.slow
def test_what_is_known_is_said_when_the_budget_ends_and_the_search_goes_on(
    bench: Bench, folder: Path
) -> None:
    """Its end is exit code 3: neither a rate that is sustained nor that none is was proven."""
    record = searched([2], budget_s=90.0, most_trials=5)
    spent_s = seconds_of(record)
    effort = msgspec.structs.replace(TINY, budget_s=spent_s + 0.1)
    path = folder / "known.json"
    capacity_record.save(msgspec.structs.replace(record, effort=effort), path)
    outcome = bench("capacity", "--resume", "known.json")
    assert outcome.code == 3
    assert " held 778/s in 1 of 1 run, with " in " ".join(outcome.out.split())
    assert "continue with: bench capacity --resume known.json" in outcome.out.splitlines()
    saved = capacity_record.load(path)
    assert (saved.ended, saved.levels[0].held_per_s) == ("budget", 778.0)
    reported = bench("report", "known.json").out
    assert reported == outcome.out
    bench("report", "known.json", "--html", "page.html")
    page = (folder / "page.html").read_text()
    assert "NOT PROVEN" in page
    assert "bench capacity --resume known.json" in re.sub(r"<[^>]*>", "", page)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (SLO, "no levels to search: add either --workers"),
        ((*SLO, "--slots", "1", "--workers", "2"), "no levels to search: add either --workers"),
        ((*SLO, "--slots", "one"), "--slots: 'one' is not a list of numbers"),
        ((*SLO, "--workers", "0,1"), "--workers: '0,1' holds no level, or one below 1"),
        (("--slots", "1,2"), "no objective to search for: add one"),
        (("--slots", "1", "--slo", "fast"), "'fast' is not an objective"),
        ((*SLO, "--slots", "1", "--rate", "5/s"), "--rate: the search chooses it"),
        ((*SLO, "--slots", "1", "--duration", "5s"), "--duration: --budget gives it"),
        ((*SLO, "--slots", "1", "--budget", "5s"), "a budget of 5.00 s is too small"),
        ((*SLO, "--slots", "1", "--width", "wide"), "'wide' is not a share"),
        ((*SLO, "--slots", "1", "--external-workers"), "the search starts its own workers"),
        (("--resume", "nowhere.json"), "nowhere.json: No such file"),
        (
            ("default", "--resume", "found.json", *SLO, "--slots", "3", "--budget", "9m"),
            "continues found.json as it was started; remove default, --slo, --slots, or",
        ),
        ((*SLO, "--slots", "1", "-o", "file/x.json"), "cannot write file/x.json"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_line_and_exit_code_2(
    bench: Bench, words: tuple[str, ...], said: str
) -> None:
    Path("file").write_text("")
    outcome = bench("capacity", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome.err
    assert said in outcome.err


@pytest.fixture(scope="module")
def record_bytes() -> bytes:
    """A search over four levels of a simulated system."""
    return capacity_record.encode(found())


@pytest.fixture(autouse=True)
def saved(folder: Path, record_bytes: bytes) -> None:
    """``found.json`` in the test's folder."""
    (folder / "found.json").write_bytes(record_bytes)


def test_a_plan_answers_first(bench: Bench) -> None:
    outcome = bench("plan", "found.json", "--rate", "1000/s", "--memory", "4000MB")
    assert (outcome.code, outcome.err) == (0, "")
    first = outcome.out.splitlines()[0]
    assert first.startswith("4 slots and 1 server for 1,000/s, with ")
    assert "first bottleneck: the workers, at " in outcome.out
    assert "memory is full at 10,000,000 tasks" in outcome.out


def test_a_plan_as_json(bench: Bench) -> None:
    made = json.loads(bench("plan", "found.json", "--rate", "1000/s", "--json").out)
    assert made["chosen"]["units"] == 4
    assert made["wish"]["rate_per_s"] == 1000


def test_a_plan_counts_the_tasks_that_are_kept(bench: Bench) -> None:
    words = ("plan", "found.json", "--rate", "1000/s", "--memory", "16000MB", "--keep", "2h")
    outcome = bench(*words, "--kept-bytes", "900")
    assert (outcome.code, outcome.err) == (0, "")
    lines = " ".join(outcome.out.split())
    assert (
        "kept tasks: 7,200,000 in steady state, 6.48 GB; with a backlog of 1,000,000 (400 MB), "
        "6.88 GB kept tasks take 40% of the memory of a server; at this rate they can be kept for "
        "at most 296.3 min, or 288.9 min beside a backlog of 1,000,000 beside kept tasks, memory "
        "is full at 23,800,000 queued tasks: after 396.7 min without workers"
    ) in lines
    assert "kept" not in bench(*words[:6]).out


def test_a_plan_says_that_kept_tasks_alone_fill_the_memory(bench: Bench) -> None:
    outcome = bench("plan", "found.json", "--rate", "1000/s", "--memory", "4000MB", "--keep", "24h")
    lines = " ".join(outcome.out.split())
    assert "! kept tasks alone fill the memory of a server; keep them for at most 166.7" in lines
    assert "memory is full" not in lines


def test_a_plan_places_the_queues_on_several_servers(bench: Bench) -> None:
    lines = " ".join(bench("plan", "found.json", "--rate", "50000/s").out.split())
    assert (
        "split inference_default into 2 queues of equal weight, inference_default_1 and "
        "inference_default_2: its 25,000/s exceed the 17,500/s that one server sustains with "
        "headroom, and a queue cannot be spread over several servers; producers choose one of the "
        "queues at random, and workers serve all of them "
        "server 1: inference_high (25%) server 2: inference_default_1 (25%) "
        "server 3: inference_default_2 (25%) server 4: inference_low (25%)"
    ) in lines
    one = bench("plan", "found.json", "--rate", "900000/s", "--mix", "only=1").out
    assert "server 12: only_12 (2%)\nand 40 servers more; --json lists them all" in one
    assert "server 1:" not in bench("plan", "found.json", "--rate", "1000/s").out


def test_the_placement_is_in_the_json_output(bench: Bench) -> None:
    words = ("plan", "found.json", "--rate", "24000/s", "--mix", "high=1,low=3", "--json")
    made = json.loads(bench(*words).out)
    servers = made["placement"]["servers"]
    assert [[queue["name"] for queue in server["queues"]] for server in servers] == [
        ["low_1", "high"],
        ["low_2"],
    ]
    assert [server["share"] for server in servers] == [0.625, 0.375]
    assert made["placement"]["splits"] == [
        {"queue": "low", "rate_per_s": 18_000.0, "parts": ["low_1", "low_2"]}
    ]
    assert made["memory"]["kept_tasks"] == 0


def test_a_plan_that_the_record_cannot_make_is_exit_code_3(bench: Bench) -> None:
    outcome = bench("plan", "found.json", "--rate", "90000/s")
    assert outcome.code == 3
    assert outcome.out.startswith("The record does not show how many slots 90,000/s would need.")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere.json", "--rate", "5/s"), "nowhere.json: No such file"),
        (("found.json",), "--rate"),
        (("found.json", "--rate", "fast"), "'fast' is not a rate"),
        (("found.json", "--rate", "0"), "--rate must be above zero"),
        (("found.json", "--rate", "5/s", "--headroom", "100%"), "--headroom must be below 100%"),
        (
            ("found.json", "--rate", "5/s", "--slo", "e2e.p99 < 1ms"),
            "is not an objective of the search",
        ),
        (("found.json", "--rate", "5/s", "--mix", "a=-1"), "the weight of 'a' must be positive"),
        (("found.json", "--rate", "5/s", "--memory", "much"), "'much' is not a size"),
        (
            ("found.json", "--rate", "5/s", "--backlog", "0"),
            "--backlog must be from 1 to 1",
        ),
        (("found.json", "--rate", "5/s", "--keep", "long"), "'long' is not a duration"),
        (
            ("found.json", "--rate", "5/s", "--kept-bytes", "900"),
            "--kept-bytes has no effect without --keep; add for example --keep 24h",
        ),
        (
            ("found.json", "--rate", "5/s", "--keep", "1h", "--kept-bytes", "0"),
            "--kept-bytes must be above zero",
        ),
    ],
)
def test_a_plan_request_that_makes_no_sense_is_one_line_and_exit_code_2(
    bench: Bench, words: tuple[str, ...], said: str
) -> None:
    outcome = bench("plan", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1), outcome.err
    assert said in outcome.err


def test_another_format_is_refused_by_name(bench: Bench) -> None:
    text = (
        Path("found.json").read_text().replace("runqy-bench-capacity/1", "runqy-bench-capacity/9")
    )
    Path("other.json").write_text(text)
    outcome = bench("plan", "other.json", "--rate", "5/s")
    assert outcome.code == 2
    assert "format runqy-bench-capacity/9; this version of bench reads" in outcome.err
