"""What can be read of the machine: its cores' times, and the quota of a control group."""

from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from bench import machine
from bench.machine import CpuQuota


class ControlGroups:
    """The files of control groups, and of which this process is a member."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = folder / "cgroup"
        self.membership = folder / "membership"
        monkeypatch.setattr(machine, "_CGROUPS", self.root)
        monkeypatch.setattr(machine, "_MEMBERSHIP", self.membership)

    def join(self, *lines: str) -> None:
        self.membership.write_text("\n".join(lines))

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ControlGroups:
    return ControlGroups(tmp_path, monkeypatch)


def test_without_control_groups_there_is_no_quota(groups: ControlGroups) -> None:
    assert machine.cpu_quota() is None


@pytest.mark.parametrize(
    ("files", "cores", "folder"),
    [
        ({"a/b/cpu.max": "50000 100000"}, 0.5, "a/b"),
        ({"a/b/cpu.max": "max 100000"}, None, ""),
        ({"a/b/cpu.max": "max 100000", "a/cpu.max": "150000 100000"}, 1.5, "a"),
        ({"a/b/cpu.max": "200000 100000", "a/cpu.max": "150000 100000"}, 1.5, "a"),
        ({"a/b/cpu.max": "20000 100000", "a/cpu.max": "150000 100000"}, 0.2, "a/b"),
        ({"cpu.max": "300000 100000"}, 3.0, ""),  # as a container shows its own group
        ({"a/b/cpu.max": "what is this"}, None, ""),
        ({"a/b/cpu.max": "50000 0"}, None, ""),
    ],
)
def test_the_tightest_quota_of_all_groups_above_applies(
    groups: ControlGroups, files: dict[str, str], cores: float | None, folder: str
) -> None:
    groups.join("0::/a/b")
    for path, text in files.items():
        groups.write(path, text)
    expected = None if cores is None else CpuQuota(cores, groups.root / folder)
    assert machine.cpu_quota() == expected


@pytest.mark.parametrize(("quota", "cores"), [("50000", 0.5), ("-1", None)])
def test_version_1_keeps_the_quota_in_two_files(
    groups: ControlGroups, quota: str, cores: float | None
) -> None:
    groups.join("3:cpuset:/elsewhere", "2:cpu,cpuacct:/a", "0::/")
    groups.write("cpu,cpuacct/a/cpu.cfs_quota_us", quota)
    groups.write("cpu,cpuacct/a/cpu.cfs_period_us", "100000")
    found = machine.cpu_quota()
    assert (None if found is None else found.cores) == cores


def test_periods_in_which_the_quota_was_used_up_are_read_where_it_applies(
    groups: ControlGroups,
) -> None:
    groups.write("a/cpu.stat", "usage_usec 17\nnr_periods 40\nnr_throttled 12\nthrottled_usec 9\n")
    times = machine.read(CpuQuota(0.5, groups.root / "a"))
    assert (times.periods, times.throttled_periods, times.throttled_s) == (40, 12, 9e-6)
    groups.write("b/cpu.stat", "nr_periods 4\nnr_throttled 1\nthrottled_time 5000\n")  # version 1
    assert machine.read(CpuQuota(0.5, groups.root / "b")).throttled_s == 5e-6
    assert (machine.read(None).periods, machine.read(None).throttled_periods) == (0, 0)


def test_times_grow() -> None:
    first = machine.read(None)
    total = sum(number * number for number in range(200_000))
    second = machine.read(None)
    assert total
    assert second.at_s > first.at_s
    assert second.user_s >= first.user_s > 0
    assert second.idle_s >= first.idle_s > 0
    assert machine.cores() >= 1


class Core(NamedTuple):
    user: float
    system: float
    idle: float


@pytest.mark.parametrize(
    ("usable", "user_s"),
    [
        ({0, 2}, 101.0),
        (set(), 111.0),  # not known: all of them
        ({0, 5}, 111.0),  # a row is missing, so that no row has a number
    ],
)
def test_only_the_cores_that_the_run_may_use_count(
    monkeypatch: pytest.MonkeyPatch, usable: set[int], user_s: float
) -> None:
    rows = [Core(1, 0, 0), Core(10, 0, 0), Core(100, 0, 0)]
    monkeypatch.setattr(machine, "usable", lambda: usable)
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: rows)
    assert machine.read(None).user_s == user_s


def test_the_description_says_how_many_cores_may_be_used(groups: ControlGroups) -> None:
    groups.join("0::/")
    groups.write("cpu.max", "150000 100000")
    found = machine.describe()
    assert found["usable_cores"] == machine.cores()
    assert found["cpu_quota_cores"] == 1.5
    assert set(found) == {"usable_cores", "cpu_quota_cores", "governor", "clock_source", "smt"}


@pytest.mark.parametrize(("text", "expected"), [("1\n", True), ("0\n", False), (None, None)])
def test_whether_cores_share_execution_units_is_read_where_the_system_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, expected: bool | None
) -> None:
    file = tmp_path / "active"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(machine, "_SMT", file)
    assert machine.describe()["smt"] is expected
