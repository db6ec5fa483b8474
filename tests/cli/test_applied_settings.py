"""Settings of files and variables: which hold, which are refused, and what records say of them."""

import dataclasses
import importlib
import typing
from pathlib import Path

import pytest

from bench.cli import applied_settings, command_line
from bench.cli.app import COMMANDS, app, main
from bench.cli.field_flags import ScenarioFlags
from bench.cli.options import scenario_from
from bench.records import run_record
from bench.settings import variable_of
from bench.workload.scenario import Scenario
from tests.cli.conftest import SHORT_RUN, Bench, expected_code


def scenario_of(*words: str) -> tuple[Scenario, str]:
    """The scenario that ``bench run`` would take, and the command line for its record."""
    command_line.remember(["run", *words])
    _, bound, *_ = app.parse_args(["run", *words], exit_on_error=False, print_error=False)
    flags = bound.arguments.get("flags")
    name = bound.arguments.get("scenario", "default")
    scenario = scenario_from(name, flags or ScenarioFlags())
    return scenario, command_line.command_line()


def test_the_command_line_comes_before_variables_and_these_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("bench.toml").write_text('rate = "1/s"\nduration = "11s"\nseed = 5\n')
    monkeypatch.setenv("BENCH_RATE", "2/s")
    monkeypatch.setenv("BENCH_DURATION", "12s")
    scenario, command = scenario_of("--rate", "3/s")
    assert (scenario.rate_per_s, scenario.duration_s, scenario.seed) == (3, 12, 5)
    assert scenario.prefetch == 64  # of the scenario
    assert command == (
        "bench run --rate 3/s --duration=12s --seed=5"
        "  # --duration from BENCH_DURATION, --seed from bench.toml:3"
    )


def test_a_setting_of_a_command_comes_before_one_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bench.toml").write_text("seed = 1\n[run]\nseed = 2\n[worker]\nseed = 3\n")
    assert scenario_of()[0].seed == 2
    monkeypatch.setenv("BENCH_SEED", "4")
    assert scenario_of()[0].seed == 4
    monkeypatch.setenv("BENCH_RUN_SEED", "5")
    assert scenario_of()[0].seed == 5


def test_a_flag_takes_away_the_setting_that_it_contradicts(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bench.toml").write_text('rate = "1/s"\nduration = "11s"\n')
    scenario, command = scenario_of("--tasks", "7")
    assert (scenario.tasks, scenario.duration_s) == (7, None)
    assert "--duration" not in command
    monkeypatch.setenv("BENCH_STAGES", "5s@10/s")
    scenario, command = scenario_of()
    assert (scenario.rate_per_s, scenario.duration_s, len(scenario.stages)) == (None, None, 1)
    assert command == "bench run --stages=5s@10/s  # --stages from BENCH_STAGES"


def test_a_setting_without_effect_on_this_run_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CONCURRENCY", "8")
    scenario, command = scenario_of("--worker-command", "true")
    assert scenario.concurrency == 1
    assert "--concurrency" not in command


def test_a_table_and_a_list_are_written_as_in_a_scenario() -> None:
    Path("bench.toml").write_text(
        'queues = {a_x = 1, a_y = 3}\nslo = ["e2e.p99 < 1s", "lost < 1"]\nstore-results = true\n'
    )
    scenario, command = scenario_of()
    assert scenario.queues == {"a_x": 1, "a_y": 3}
    assert len(scenario.slo) == 2
    assert scenario.store_results
    assert "'--slo=e2e.p99 < 1s' '--slo=lost < 1' --store-results" in command


def test_one_word_switches_all_settings_off(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("bench.toml").write_text("seed = 2\nno-such-key = 1\n")
    monkeypatch.setenv("BENCH_RATE", "2/s")
    monkeypatch.setenv("BENCH_CONFIG", "none")
    scenario, command = scenario_of()
    assert (scenario.seed, scenario.rate_per_s, command) == (1, 2000, "bench run")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nraet = 5\n", "bench.toml:2: unknown setting 'raet': did you mean 'rate'?"),
        ("[rnu]\nrate = 5\n", "bench.toml:1: unknown setting 'rnu': did you mean 'run'?"),
        (
            "[run]\nrestart = 5\n",
            "bench.toml:2: unknown setting 'restart': did you mean",
        ),
        ("keep = true\n", "bench.toml:1: unknown setting 'keep'"),
        ('redis-url = "redis://h"\n', "bench.toml:1: no file may set 'redis-url'"),
        ('worker_command = "sh"\n', "bench.toml:1: no file may set 'worker_command'"),
        ('server-binary = "./x"\n', "bench.toml:1: no file may set 'server-binary'"),
        ('[run]\noutput = "x"\n', "bench.toml:2: no file may set 'output'"),
        ('rate = ""\n', "bench.toml:1: rate: '' is not written as its flag would be"),
        ("rate = {a = 1}\n", "bench.toml:1: rate: {'a': 1} is not written"),
        ("run = 5\n", "bench.toml:1: unknown setting 'run'"),
        ('duration = "5"\n', "--duration (bench.toml:1): '5' has no unit: write 5ms or 5s"),
        ('workers = "x"\n', "--workers (bench.toml:1): 'x' is not a whole number"),
    ],
)
def test_a_setting_that_cannot_hold_is_refused_with_its_line(
    bench: Bench, text: str, line: str
) -> None:
    Path("bench.toml").write_text(text)
    outcome = bench("run", "-q")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"bench: {line}")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("BENCH_RAET", "5", "BENCH_RAET sets nothing: did you mean 'BENCH_RATE'?"),
        (
            "BENCH_KEEP",
            "1",
            "BENCH_KEEP sets nothing: --keep differs between commands",
        ),
    ],
)
def test_a_variable_that_sets_nothing_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    monkeypatch.setenv(name, value)
    outcome = bench("run", "no-such-scenario")
    assert outcome.code == 2
    assert outcome.err.startswith(f"bench: {line}")


def test_variables_of_anybody_else_are_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BENCH_REDIS_ADDR", "BENCH_STAGING_URL", "BENCH_SINGLE_THREADED"):
        monkeypatch.setenv(name, "1")
    assert bench("run", "no-such").err == "bench: no scenario 'no-such': see 'bench scenarios'\n"


def test_an_empty_variable_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_RATE", "")
    outcome = bench("run")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("bench: BENCH_RATE is set, but empty")


@pytest.mark.slow
def test_a_secret_of_a_setting_is_nowhere(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_WORKER_COMMAND", "no-such-program --password hunter22")
    outcome = bench("run", "smoke", "--duration", "300ms")
    assert outcome.code not in (0, 1)
    assert "hunter22" not in outcome.err + outcome.out
    assert "hunter22" not in command_line.command_line()


def test_settings_for_all_commands_leave_alone_what_means_something_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bench.toml").write_text('rate = "5/s"\ntasks = 10\nworkers = 3\n')
    monkeypatch.setenv("BENCH_DURATION", "3s")
    assert "--rate is required" in bench("plan", "capacity.json").err
    assert "no levels to search" in bench("capacity", "--slo", "e2e.p99 < 1s").err


def test_no_two_flags_have_the_same_variable() -> None:
    command: str | None
    seen: dict[str, tuple[str | None, str]] = {}
    pairs: list[tuple[str | None, str]] = [(None, name) for name in applied_settings.FOR_ALL]
    for command, (function, _) in COMMANDS.items():
        module, _, attribute = function.partition(":")
        called = getattr(importlib.import_module(f"bench.cli.{module}"), attribute)
        for name, hint in typing.get_type_hints(called).items():
            kinds = [each for each in typing.get_args(hint) if dataclasses.is_dataclass(each)]
            names = [each.name for kind in kinds for each in dataclasses.fields(kind)] or [name]
            pairs += [(command, each) for each in names if each != "return"]
    for command, name in pairs:
        variable = variable_of(name, command)
        assert seen.setdefault(variable, (command, name)) == (command, name)
    assert not seen.keys() & {"BENCH_CONFIG", "BENCH_SINGLE_THREADED", "BENCH_PROGRESS_FD"}


@pytest.mark.slow
def test_a_run_and_the_arms_of_a_comparison_apply_settings_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bench.toml").write_text('rate = "150/s"\nduration = "400ms"\nconcurrency = 2\n')
    outcome = bench(*SHORT_RUN[:2], "--output", "run.json")
    run = run_record.load(Path("run.json"))
    assert outcome.code == expected_code(run)
    assert run.scenario.rate_per_s == 150
    assert "bench: settings: --rate=150/s (bench.toml:1)" in outcome.err
    assert run.command.startswith("bench run smoke --output run.json --rate=150/s")
    monkeypatch.setenv("BENCH_PREFETCH", "4")
    words = ("--pairs", "1", "--noise-pairs", "1", "--output", "job", "--quiet")
    code = bench("ab", "smoke", "--b", "--tasks 50", *words).code
    runs = [run_record.load(path) for path in sorted(Path("job").glob("*-[AB].json"))]
    is_valid = all(each.verdict == "valid" for each in runs)  # not on a busy machine
    assert code == 3 if is_valid else code in (3, 4)
    assert [each.command for each in runs if "#" in each.command] == []
    arms = [each.scenario for each in runs]
    assert {each.prefetch for each in arms} == {4}
    assert {each.concurrency for each in arms} == {2}
    assert {(each.tasks, each.duration_s) for each in arms} == {(None, 0.4), (50, None)}


def test_help_and_version_need_no_settings(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bench.toml").write_text("broken = [")
    assert main(["run", "--help"]) == 0
    assert main(["--version"]) == 0
    assert capsys.readouterr().err == ""
