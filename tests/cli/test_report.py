"""``bench report``: one record or several, at the terminal, as a page, as pictures."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.records import capacity_record, comparison_record, run_record
from tests.cli.conftest import Bench
from tests.records.capacity_fixtures import found
from tests.records.fixtures import example_record
from tests.reports.test_gate import gate


@pytest.fixture(autouse=True)
def saved(folder: Path) -> None:
    """A run, a comparison, and the folder of a job, in the current folder."""
    run_record.save(example_record(), folder / "run.json")
    (folder / "job").mkdir()
    for path in (folder / "gate.json", folder / "job" / "gate.json"):
        path.write_bytes(comparison_record.encode(gate()))


def test_several_records_are_printed_one_after_the_other(bench: Bench) -> None:
    each = [bench("report", name).out for name in ("run.json", "job")]
    outcome = bench("report", "run.json", "job")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "\n".join(each)


@pytest.mark.slow
def test_a_page_holds_every_record_and_its_name_is_printed(bench: Bench) -> None:
    outcome = bench("report", "run.json", "job", "--html", "new/out.html")
    assert (outcome.code, outcome.out, outcome.err) == (0, "page: new/out.html\n", "")
    text = Path("new/out.html").read_text(encoding="utf-8")
    assert 'id="run-1"' in text
    assert 'id="gate-2"' in text


@pytest.mark.slow
def test_the_same_record_gives_the_same_page(bench: Bench) -> None:
    for name in ("a.html", "b.html"):
        bench("report", "run.json", "--html", name)
    assert Path("a.html").read_bytes() == Path("b.html").read_bytes()


def several_runs() -> None:
    """``runs/``: two runs, the later one first by name, and what is no run."""
    run_record.save(example_record(), Path("runs/b.json"))
    later = msgspec.structs.replace(example_record(), id="f" * 15, started_at="2026-01-16T09:30Z")
    run_record.save(later, Path("runs/a.json"))
    Path("runs/gate.txt").write_text("no record")
    Path("runs/other.json").write_bytes(Path("gate.json").read_bytes())
    Path("runs/package.json").write_text("{}")
    Path("runs/broken.json").write_text('{"format": "runqy-')
    Path("runs/running.json").touch()


def test_several_runs_are_shown_side_by_side_and_a_folder_stands_for_its_runs(
    bench: Bench,
) -> None:
    several_runs()
    named = bench("report", "runs/b.json", "runs/a.json")
    assert (named.code, named.err) == (0, "")
    assert "B vs A" in named.out
    folder = bench("report", "runs")
    assert folder.out.partition("next:")[0] == named.out.partition("next:")[0]
    assert folder.err == (
        "bench: runs: skipped 4 files, not run records: 1 unreadable (broken.json), "
        "1 of a comparison, 1 no record at all, 1 of a run that goes on\n"
    )
    assert bench("report", "runs", "--markdown").out.startswith("### bench: 2 runs side by side")


def test_a_folder_with_one_run_is_its_report(bench: Bench) -> None:
    run_record.save(example_record(), Path("runs/one.json"))
    assert bench("report", "runs").out == bench("report", "runs/one.json").out
    assert json.loads(bench("report", "runs", "--json").out)["id"] == example_record().id


def test_records_of_another_kind_follow_one_by_one_and_a_line_says_what_to_use(
    bench: Bench,
) -> None:
    outcome = bench("report", "gate.json", "gate.json")
    assert outcome.code == 0
    assert outcome.out == "\n".join([bench("report", "gate.json").out] * 2)
    assert outcome.err == (
        "bench: only runs are shown side by side, not comparisons: name runs of theirs to see "
        "those side by side\n"
    )


@pytest.mark.slow
def test_a_page_and_its_pictures_show_runs_side_by_side(bench: Bench) -> None:
    several_runs()
    outcome = bench("report", "runs", "job", "--html", "out.html", "--images", "pictures")
    assert (outcome.code, outcome.out) == (0, "page: out.html\npictures: pictures\n")
    text = Path("out.html").read_text(encoding="utf-8")
    assert "Settings that differ" not in text
    assert "No setting differs between the runs." in text
    assert "A b: priority" in text
    assert "B a: priority" in text
    names = {path.name for path in Path("pictures").glob("side-by-side-*.svg")}
    assert names == {
        f"side-by-side-{name}.svg" for name in ("spectrum", "rates", "backlog", "latency")
    }


def test_pictures_need_no_page(bench: Bench) -> None:
    outcome = bench("report", "gate.json", "--images", "pictures")
    assert (outcome.code, outcome.out) == (0, "pictures: pictures\n")
    assert {path.name for path in Path("pictures").iterdir()} == {
        "gate-1-forest.svg",
        "gate-1-forest.png",
    }


def test_json_is_the_record_and_nothing_else(bench: Bench) -> None:
    assert json.loads(bench("report", "run.json", "--json").out)["id"] == example_record().id


def damaged() -> run_record.RunRecord:
    run = example_record()
    latency = {**run.latency, "e2e": dict(run.latency["e2e"])}
    latency["e2e"]["all"] = msgspec.structs.replace(latency["e2e"]["all"], hdr="no histogram")
    return msgspec.structs.replace(run, latency=latency)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "name one or more records"),
        (["run.json", "gate.json", "--json"], "--json prints a single record"),
        (["run.json", "--json", "--html", "out.html"], "--json prints a single record"),
        (["run.json", "missing.json", "--html", "out.html"], "missing.json: No such file"),
        (["run.json", "--html", "job"], "--html job: the name of a page must end in .html or .htm"),
        (["run.json", "--html", "folder.html"], "cannot write folder.html: it is a folder"),
        (["run.json", "--html", "run.json/out.html"], "cannot write run.json/out.html"),
        (["run.json", "--images", "gate.json"], "cannot write gate.json"),
        (
            ["damaged.json", "--html", "out.html"],
            "damaged.json: not a histogram",
        ),
        (["empty", "--html", "out.html"], "empty: there is no run record in this folder"),
        (["run.json", "run.json", "--json"], "--json prints a single record"),
        (["run.json"] * 41 + ["--html", "out.html"], "show 40 records at most, and 41 are named"),
    ],
    ids=lambda each: " ".join(each)[-40:],
)
def test_bad_input_is_one_line_and_leaves_no_page(
    bench: Bench, words: list[str], part: str
) -> None:
    run_record.save(damaged(), Path("damaged.json"))
    Path("empty").mkdir()
    Path("folder.html").mkdir()
    outcome = bench("report", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith("bench: ")
    assert part in outcome.err
    assert not Path("out.html").exists()


@pytest.mark.parametrize("name", ["run.json", "./run.json", "run.html"])
def test_a_page_never_takes_a_records_place(bench: Bench, name: str) -> None:
    """Not even when a shell expands ``--html *.json`` to it."""
    Path("run.html").write_bytes(Path("run.json").read_bytes())
    before = Path(name).read_bytes()
    assert bench("report", "run.json", "run.html", "--html", name).code == 2
    assert Path(name).read_bytes() == before


@pytest.mark.slow
def test_a_capacity_is_shown_like_any_other_record(bench: Bench) -> None:
    capacity_record.save(found(), Path("capacity.json"))
    assert bench("report", "capacity.json").out.startswith("8 slots on valkey ")
    outcome = bench("report", "capacity.json", "run.json", "--html", "out.html")
    assert (outcome.code, outcome.err) == (0, "")
    text = Path("out.html").read_text(encoding="utf-8")
    assert 'id="capacity-1"' in text
    assert 'id="run-2"' in text


@pytest.mark.slow
def test_a_report_at_the_terminal_loads_neither_plots_nor_templates() -> None:
    program = (
        "import sys; from bench.cli.app import main; main(['report', 'run.json']); "
        "sys.exit(bool({'matplotlib', 'jinja2'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_markdown_is_printed_for_every_kind_and_several_follow_each_other(bench: Bench) -> None:
    capacity_record.save(found(), Path("capacity.json"))
    names = ("run.json", "job", "capacity.json")
    each = [bench("report", name, "--markdown").out for name in names]
    assert all(text.startswith("### ") for text in each)
    outcome = bench("report", *names, "--markdown")
    assert (outcome.code, outcome.out, outcome.err) == (0, "\n".join(each), "")


@pytest.mark.parametrize("other", [["--html", "x.html"], ["--images", "x"], ["--json"]])
def test_markdown_goes_with_no_other_output(bench: Bench, other: list[str]) -> None:
    outcome = bench("report", "run.json", "--markdown", *other)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "remove --html" in outcome.err
