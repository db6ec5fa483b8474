"""Runs in groups: what each group differs in, and choosing one by it."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.groups import chosen, grouped
from bench.errors import UsageError
from bench.records.run_record import RunRecord
from tests.records.fixtures import example_record

EXAMPLE = example_record()
_SECONDS = itertools.count()


def run(product: str = "valkey", cpu: str = "one", **changes: object) -> RunRecord:
    """A run with these changes of the scenario, later than all before it."""
    second = next(_SECONDS)
    return msgspec.structs.replace(
        EXAMPLE,
        id=f"{second:08x}",
        started_at=f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00:00",
        scenario=msgspec.structs.replace(EXAMPLE.scenario, **changes),
        server={**EXAMPLE.server, "product": product},
        environment={**EXAMPLE.environment, "cpu_model": cpu},
    )


def test_groups_are_named_by_what_they_differ_in_and_by_nothing_else() -> None:
    runs = [
        run(rate_per_s=1000.0, workers=1),
        run(rate_per_s=1000.0, workers=2),
        run(rate_per_s=2500.5, workers=2),
        run("redis", rate_per_s=2500.5, workers=2),
    ]
    assert [each.name for each in grouped([*runs, runs[0]])] == [
        "rate 1000/s, workers 1, server valkey",
        "rate 1000/s, workers 2, server valkey",
        "rate 2500.5/s, workers 2, server valkey",
        "rate 2500.5/s, workers 2, server redis",
    ]
    assert [each.name for each in grouped([runs[0], run(rate_per_s=1000.0, workers=1)])] == [""]


def test_another_machine_is_a_change_within_a_group_and_can_be_chosen() -> None:
    runs = [run(cpu="one"), run(cpu="other")]
    assert len(grouped(runs)) == 1
    assert chosen(runs, ["host=other"]) == runs[1:]
    assert chosen(runs, ["environment.cpu_model=one"]) == runs[:1]


SETTINGS = st.fixed_dictionaries(
    {
        "product": st.sampled_from(["valkey", "redis"]),
        "rate_per_s": st.none() | st.sampled_from([10.0, 1000.0, 12345.678, 1 / 3]),
        "workers": st.integers(1, 3),
        "queues": st.sampled_from([{"a": 1.0}, {"a": 1.0, "b": 2.5}]),
        "duration_s": st.sampled_from([None, 1.0, 0.25, 90.0]),
        "duplicate_check": st.booleans(),
        "worker_command": st.sampled_from([None, "serve --at {host}"]),
    }
)


@given(settings=st.lists(SETTINGS, min_size=1, max_size=8))
def test_the_choice_of_a_group_finds_its_runs_and_no_other(
    settings: list[dict[str, object]],
) -> None:
    runs = [run(**each) for each in settings]  # type: ignore[arg-type]
    groups = grouped(runs)
    assert sum(len(each.records) for each in groups) == len(runs)
    for group in groups:
        assert chosen(runs, group.choice) == group.records
        assert chosen(runs, [f"{name}={text}" for name, text in group.settings.items()])


@pytest.mark.parametrize("written", ["rate=1000/s", "rate=1,000/s", "rate=1000"])
def test_a_value_may_be_written_as_in_a_scenario(written: str) -> None:
    runs = [run(rate_per_s=1000.0), run(rate_per_s=2000.0)]
    assert chosen(runs, [written]) == runs[:1]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("rate", "--where 'rate' is no condition; use NAME=VALUE"),
        ("ratte=5/s", "no setting is called 'ratte': did you mean 'rate'?"),
        ("rate=3000/s", "no run has rate=3000/s; there are rate=1000/s, rate=2000/s"),
        ("server=dragon", "no run has server=dragon; there are server=valkey"),
    ],
)
def test_a_choice_that_finds_nothing_says_what_there_is(condition: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen([run(rate_per_s=1000.0), run(rate_per_s=2000.0)], [condition])
    assert said in str(refused.value)
