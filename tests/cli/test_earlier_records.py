"""Records that earlier versions wrote are still opened, printed, compared and planned with."""

import shlex
from pathlib import Path

import msgspec
import pytest

from bench.records import capacity_record, clients_record, comparison_record, run_record
from tests.cli.conftest import Bench
from tests.records import data

RUNS = [file for file, name in data.FORMATS.items() if name == "record"]

_SECTIONS = {"record": "run", "comparison": "gate"}
"""Format to what a page calls its section, where that differs."""

LOADERS = {
    "record": run_record.load,
    "capacity": capacity_record.load,
    "comparison": comparison_record.load,
    "clients": clients_record.load,
}


def path(file: str) -> str:
    return str(data.FOLDER / file)


def test_every_kept_record_is_listed_with_its_format() -> None:
    assert sorted(data.FORMATS) == sorted(each.name for each in data.FOLDER.glob("*.json"))


@pytest.mark.parametrize(("file", "name"), data.FORMATS.items())
def test_a_record_is_read_whole(file: str, name: str) -> None:
    assert LOADERS[name](data.FOLDER / file)


@pytest.mark.parametrize(
    ("file", "parts"),
    [
        ("run-default.json", ["VALID  default", "2,000/s"]),
        ("run-smoke-1.json", ["VALID  smoke", "300/s", "lost == 0"]),
        ("run-smoke-2.json", ["VALID  smoke", "300/s", "lost == 0"]),
        ("run-external.json", ["VALID  smoke", "200/s", "polling"]),
        ("capacity.json", ["valkey 9.1.2", "173/s", "e2e.p99 < 100ms"]),
        ("comparison.json", ["INCONCLUSIVE  smoke", "e2e.p99"]),
        ("clients.json", ["python-pipelined", "python-seed"]),
    ],
)
def test_a_record_is_printed(bench: Bench, file: str, parts: list[str]) -> None:
    outcome = bench("report", path(file))
    assert (outcome.code, outcome.err) == (0, "")
    unwrapped = " ".join(outcome.out.split())
    assert [each for each in parts if " ".join(each.split()) not in unwrapped] == []


@pytest.mark.slow
def test_all_records_stand_on_one_page(bench: Bench, folder: Path) -> None:
    outcome = bench("report", *map(path, data.FORMATS), "--html", "page.html")
    assert (outcome.code, outcome.err) == (0, "")
    text = (folder / "page.html").read_text(encoding="utf-8")
    kinds = [_SECTIONS.get(each, each) for each in data.FORMATS.values()]
    ids = [f'id="{kind}-{place}"' for place, kind in enumerate(kinds, 1)]
    assert [each for each in ids if each not in text] == []


@pytest.mark.parametrize("file", RUNS)
@pytest.mark.parametrize("form", ["--csv", "--hgrm", "--hdr"])
def test_a_runs_data_are_exported(bench: Bench, file: str, form: str) -> None:
    outcome = bench("export", path(file), form)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out


def test_runs_are_compared(bench: Bench) -> None:
    outcome = bench("compare", path("run-smoke-1.json"), "--", path("run-smoke-2.json"))
    assert (outcome.code, outcome.err) == (3, "")
    assert outcome.out.startswith("INCONCLUSIVE  smoke")


def test_runs_that_differ_are_refused_by_field(bench: Bench) -> None:
    outcome = bench("compare", path("run-smoke-1.json"), "--", path("run-external.json"))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "--rate (300/s versus 200/s)" in outcome.err


def test_a_folder_of_runs_has_a_history(bench: Bench, folder: Path) -> None:
    for file in RUNS:
        (folder / file).write_bytes((data.FOLDER / file).read_bytes())
    outcome = bench("history", str(folder), "--scenario", "smoke")
    assert outcome.err == ""
    assert outcome.code == 0
    assert "e2e.p99" in outcome.out


def test_a_history_takes_files_and_folders_and_says_what_it_skipped(
    bench: Bench, folder: Path
) -> None:
    smoke = [data.FOLDER / f"run-smoke-{number}.json" for number in (1, 2)]
    (folder / "runs").mkdir()
    (folder / "runs/one.json").write_bytes(smoke[0].read_bytes())
    (folder / "runs/torn.json").write_bytes(b"{")
    named = bench("history", *map(str, smoke))
    mixed = bench("history", "runs", str(smoke[1]))
    assert named.code == mixed.code == 0
    assert named.out == mixed.out
    assert (named.err, mixed.err) == (
        "",
        f"bench: runs, {smoke[1]}: skipped 1 file, not a run record: 1 unreadable (torn.json)\n",
    )
    nothing = bench("history")
    assert (nothing.code, nothing.err) == (
        2,
        "bench: results: no such folder; make a run first, or name records\n",
    )


def test_trends_are_named_by_what_differs_and_one_or_each_can_be_drawn(
    bench: Bench, folder: Path
) -> None:
    """The refusal to draw several holds the line that draws one of them."""
    example = run_record.load(data.FOLDER / "run-smoke-1.json")
    for number, rate in enumerate((1000.0, 1000.0, 2000.0)):
        scenario = msgspec.structs.replace(example.scenario, rate_per_s=rate)
        run = msgspec.structs.replace(example, id=f"{number:08x}", scenario=scenario)
        (folder / f"{number}.json").write_bytes(run_record.encode(run))
    words = ("history", ".", "--metric", "e2e.p99")
    refused = bench(*words, "--image", "trend.svg")
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "e2e.p99 of smoke (rate 1000/s), 2 runs; e2e.p99 of smoke (rate 2000/s)" in refused.err
    command = refused.err.rpartition("choose one: bench ")[2]
    assert "--where rate=1000/s" in command
    drawn = bench(*shlex.split(command))
    assert (drawn.code, drawn.err) == (0, "")
    assert drawn.out.startswith("e2e.p99 of smoke (rate 1000/s), 2 runs")
    assert "smoke (rate 1000/s)" in (folder / "trend.svg").read_text()
    assert bench(*words, "--each", "--image", "all.svg").code == 0
    assert {path.name for path in folder.glob("all*")} == {"all-1.svg", "all-2.svg"}


def test_a_rate_is_planned_for(bench: Bench) -> None:
    outcome = bench("plan", path("capacity.json"), "--rate", "100/s")
    assert (outcome.code, outcome.err) == (0, "")
    assert "100/s" in outcome.out
