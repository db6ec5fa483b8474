"""Command lines that cannot be parsed are refused in one line that says what to write instead."""

import shlex

import pytest

from tests.cli.conftest import Bench


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("run --raet 5", "unknown flag --raet: did you mean '--rate'?"),
        ("run --password=hunter22", "unknown flag --password"),
        ("run -x 3", "unknown flag -x: 'bench run --help' lists the flags"),
        ("report --htm x.html", "unknown flag --htm: did you mean '--html'?"),
        ("--verson", "unknown flag --verson: did you mean '--version'?"),
        ("rum", "unknown command 'rum': did you mean 'run'?"),
        ("smoke", "unknown command 'smoke': did you mean 'bench run smoke'?"),
        ("mine.toml", "unknown command 'mine.toml': did you mean 'bench run mine.toml'?"),
        ("run.json", "unknown command 'run.json': did you mean 'bench report run.json'?"),
        ("qqq", "unknown command 'qqq': there are run, worker, "),
        ("run smoke more", "unexpected argument 'more': the usage is 'bench run [SCENARIO] "),
        ("run --rate", "--rate needs a value: write for example --rate 5000/s"),
        ("run --rate abc", "--rate: 'abc' is not a rate: write for example 5000/s"),
        ("run -r abc", "--rate: 'abc' is not a rate: write for example 5000/s"),
        ("run --duration 5", "--duration: '5' has no unit: write 5ms or 5s"),
        ("run --workers x", "--workers: 'x' is not a whole number: write for example 4"),
        ("run --arrivals poison", "--arrivals: 'poison' is not one of constant, poisson, max: did"),
        ("run --keep=maybe", "--keep: 'maybe' is neither true nor false: write --keep alone"),
        ("worker jobs --redis-url redis://h --service-time 5", "--service-time: '5' has no unit"),
        ("plan", "RECORD is missing: the usage is 'bench plan RECORD --rate RATE [FLAGS]'"),
        ("plan x.json", "--rate is required: write for example --rate 12000/s"),
        ("schema recrod", "KIND: 'recrod' is not one of scenario, record, "),
        ("completion tcsh", "SHELL: 'tcsh' is not one of bash, zsh, fish"),
        ("ab --b '--nonesuch 1'", "arm B: unknown flag --nonesuch: 'bench run --help' lists"),
    ],
)
def test_a_slip_is_refused_with_what_to_write_instead(bench: Bench, words: str, line: str) -> None:
    outcome = bench(*shlex.split(words))
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"bench: {line}")
    assert "hunter22" not in outcome.err
