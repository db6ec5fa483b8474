"""``bench sweep``: what is refused before it, its plan, and whole commands."""

import json
from pathlib import Path

import msgspec
import pytest

from bench.records import run_record, sweep_record
from bench.workload import library
from tests.cli.conftest import Bench, interrupted

SHORT = ("smoke", "--duration", "300ms", "--warmup", "0s")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            (),
            "no levels to try: add for example --rate 1000/s..20000/s/10, or --levels "
            "prefetch=1,8,64",
        ),
        (("-r", "1000/s"), "no levels to try: add for example --rate 1000/s..20000/s/10, or"),
        (
            ("-r", "1000/s..2000/s"),
            "--rate: rate: '1000/s..2000/s' does not say how many values: write for example "
            "1000/s..20000/s/10",
        ),
        (("-r", "1000/s,max"), "--rate: rate: max is a closed loop, which offers no rate"),
        (
            ("-L", "prefetsh=1,2"),
            "--levels: there is no field 'prefetsh': did you mean 'prefetch'?",
        ),
        (("-L", "prefetch=1"), "a sweep has two levels or more; for a single one use 'bench run'"),
        (
            ("-L", "prefetch=1,8", "--prefetch", "4"),
            "--prefetch: --levels varies it; remove one of the two",
        ),
        (
            ("-r", "1000/s,2000/s", "-L", "rate=3000/s,4000/s"),
            "--levels: the levels of rate are given twice; give them once",
        ),
        (
            ("-r", "100/s", "-L", "rate=3000/s,4000/s"),
            "--rate: --levels varies it; remove one of the two",
        ),
        (
            ("-L", "payload_size=1B,1kB"),
            "--levels: payload_size: ",
        ),
        (
            ("-L", "worker_start=with-run,after-fill", "--workers", "0"),
            "level worker_start=after-fill: ",
        ),
        (("-r", "1/s..100/s/50", "-L", "prefetch=1,2,3,4,5,6,7,8,9"), "9 × 50 are 450 levels, and"),
        (
            ("-r", "1000/s..2000/s/10", "--repeat", "100"),
            "1,000 trials (10 levels × 100) of 10.0 s take about 208.3 min, and the budget is "
            "60.0 min: give --budget 209m, fewer levels, or a shorter --duration",
        ),
        (
            ("-r", "1000/s,2000/s", "--budget", "20s"),
            "2 trials (2 levels) of 10.0 s take about 25.0 s, and the budget is 20.0 s: give "
            "--budget 1m",
        ),
        (("-r", "1000/s,2000/s", "--repeat", "0"), "--repeat must be from 1 to 1000, not 0"),
        (
            ("-r", "1000/s,2000/s", "--spacing", "log"),
            "--spacing: 'log' is not linear or geometric",
        ),
        (
            ("-r", "1000/s,2000/s", "--faults", "1s stall server 1s"),
            "--faults: a sweep shows latency when nothing disturbs it; 'bench chaos' makes faults; "
            "leave it out",
        ),
        (
            ("faulty.toml", "-r", "1000/s,2000/s"),
            "faults: a sweep has none; remove them from the scenario",
        ),
        (
            ("--resume", "no.json", "--repeat", "3"),
            "--resume continues no.json as it was started; remove --repeat, or start a new one",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    bench: Bench, words: tuple[str, ...], line: str
) -> None:
    faulty = f'{library.text_of("default")}faults = ["1s stall server 1s"]\n'
    Path("faulty.toml").write_text(faulty)
    outcome = bench("sweep", *words)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"bench: {line}" in outcome.err or f": {line}" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("results").exists()


def test_a_dry_run_shows_the_levels_and_the_time_and_writes_nothing(bench: Bench) -> None:
    words = ("sweep", "-r", "100/s..1600/s/5", "--spacing", "geometric", "--dry-run")
    outcome = bench(*words)
    assert outcome.code == 0
    assert "default: 5 levels, 5 trials, about 62.5 s; nothing was sent" in outcome.out
    assert list(Path().iterdir()) == []
    planned = json.loads(bench(*words, "--json").out)
    assert [each["offered_per_s"] for each in planned["levels"]] == [100, 200, 400, 800, 1600]


def test_the_seed_decides_the_order_and_settings_of_other_runs_do_not_count(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_PREFETCH", "4")
    words = ("sweep", "-L", "prefetch=1,2,3,4,5,6", "-r", "50/s", "--dry-run", "--json", "--seed")
    first, again, other = (json.loads(bench(*words, seed).out) for seed in ("1", "1", "2"))
    assert first["order"] == again["order"] != other["order"]
    assert first["levels"][5]["settings"] == {"prefetch": "6"}
    assert not any("prefetch" in word for word in first["words"])


@pytest.mark.slow
def test_each_level_is_a_run_of_its_own_and_all_are_in_one_table_and_one_page(
    bench: Bench,
) -> None:
    words = ("-r", "100/s,200/s", "-L", "prefetch=8,1", "-o", "s.json")
    outcome = bench("sweep", *SHORT, *words)
    assert outcome.code in (0, 4)  # a busy machine may keep every generator from sending in time
    record = sweep_record.load(Path("s.json"))
    assert (record.ended, len(record.trials)) == ("finished", 4)
    for trial in record.trials:
        run = run_record.load(Path("s-trials", trial.file))
        settings = record.levels[trial.level].settings
        assert run.scenario.rate_per_s == float(settings["rate"].removesuffix("/s"))
        assert run.scenario.prefetch == int(settings["prefetch"])
        assert run.scenario.seed == trial.repetition
        assert trial.latency_s["p99"].value == run.latency["e2e"]["all"].p99_s
    assert [trial.level for trial in record.trials] == record.order
    assert outcome.out.count("\n") > 4
    assert bench("report", "s.json").out.splitlines()[0] == outcome.out.splitlines()[0]
    assert bench("report", "s.json", "--html", "page.html").code == 0
    assert "Sweep of smoke" in Path("page.html").read_text()
    assert len(bench("export", "s.json", "--csv").out.splitlines()) == 5


@pytest.mark.slow
def test_what_ctrl_c_ends_is_saved_and_goes_on_where_it_was(bench: Bench, folder: Path) -> None:
    words = ("sweep", *SHORT, "-r", "50/s,100/s,150/s", "-o", "s.json")
    path = folder / "s.json"

    def is_time() -> bool:
        return path.exists() and b'"verdict"' in path.read_bytes()

    code, errors = interrupted(folder, words, is_time)
    assert code == 130
    assert "continue with: bench sweep --resume s.json" in errors
    before = sweep_record.load(path)
    assert 1 <= len(before.trials) < 3
    bench("sweep", "--resume", "s.json", "--quiet")
    after = sweep_record.load(path)
    assert after.trials[: len(before.trials)] == before.trials
    assert (after.is_complete, after.order) == (True, before.order)


@pytest.mark.slow
def test_a_sweep_that_is_out_of_time_says_so_and_goes_on_with_more(bench: Bench) -> None:
    bench("sweep", *SHORT, "-r", "50/s,100/s", "-o", "s.json", "-q")
    record = sweep_record.load(Path("s.json"))
    cut = msgspec.structs.replace(record, trials=record.trials[:1], is_complete=False)
    sweep_record.save(cut, Path("s.json"))
    outcome = bench("sweep", "--resume", "s.json", "--budget", "1ms")
    assert outcome.code == 3
    assert "the budget ended; continue with: bench sweep --resume s.json" in outcome.err
    assert bench("sweep", "--resume", "s.json", "--budget", "2m", "-q").code in (0, 4)
    after = sweep_record.load(Path("s.json"))
    assert (after.is_complete, after.trials[0]) == (True, record.trials[0])
