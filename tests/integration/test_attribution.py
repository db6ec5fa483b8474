"""What a run is bound by, on a machine that others use and under a quota."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import machine
from bench.redisio.embedded import EmbeddedServer
from tests.integration.conftest import run

pytestmark = pytest.mark.slow

SPIN = "import os\nwhile os.getppid() == {parent}: pass"
EVERY_CORE_BUSY: dict[str, object] = {"rate": "max", "duration": 3, "max_backlog": 500}


@contextlib.contextmanager
def spinning(processes: int) -> Iterator[None]:
    """Other programs that use a whole core each."""
    code = SPIN.format(parent=os.getpid())
    others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_with_others_at_full_load_beside_it_the_host_is_named(embedded: EmbeddedServer) -> None:
    """One on a machine of two cores: as many as leave the run no more than one core."""
    with spinning(max(machine.cores() - 1, 1)):
        record = run(embedded.url, EVERY_CORE_BUSY)
    assert record.bound_by == "host", record.attribution
    use = record.resources.machine
    assert use is not None
    assert use.other_cores is not None
    assert use.other_cores > 0.25 * use.cores
    assert f"others {use.other_cores:.2f}" in record.attribution
    columns = record.series.columns
    others = [row[columns.index("machine_other_cores")] for row in record.series.rows]
    assert max(each for each in others if each is not None) > 0.25 * use.cores


def test_slots_that_are_full_of_tasks_are_named_even_on_a_full_machine(
    embedded: EmbeddedServer,
) -> None:
    fields: dict[str, object] = {"rate": 1000, "duration": 2, "service_time": "5ms"}
    with spinning(machine.cores()):
        record = run(embedded.url, {**fields, "drain_timeout": 0.5, "prefetch": 16})
    assert record.bound_by == "slots", record.attribution
    assert "1,000/s needs at least 5 slots" in record.attribution


@contextlib.contextmanager
def control_group(cores: float) -> Iterator[Path]:
    """A control group of the test's own with this CPU quota; skips where there can be none."""
    root = Path("/sys/fs/cgroup")
    is_v1 = (root / "cpu").is_dir()
    folder = (root / "cpu" if is_v1 else root) / f"bench-test-{os.getpid()}"
    quota = round(cores * 100_000)
    try:
        folder.mkdir()
        try:
            if is_v1:
                (folder / "cpu.cfs_quota_us").write_text(str(quota))
            else:
                (folder / "cpu.max").write_text(f"{quota} 100000")
            yield folder
        finally:
            folder.rmdir()
    except OSError as error:
        pytest.skip(f"no control group with a quota can be made here: {error}")


def bench_in(folder: Path, record: Path) -> dict[str, Any]:
    """``bench run`` as a process of that control group; its record."""
    command = [sys.executable, "-m", "bench", "run", "--rate", "max", "--duration", "3s"]
    join = f'echo $$ > {folder}/cgroup.procs && exec "$@"'
    subprocess.run(
        ["sh", "-c", join, "sh", *command, "--max-backlog", "500", "--quiet", "-o", str(record)],
        check=False,
        capture_output=True,
        timeout=120,
    )
    found: dict[str, Any] = json.loads(record.read_text())
    return found


def test_under_a_quota_the_quota_is_named(tmp_path: Path) -> None:
    with control_group(cores=0.5) as folder:
        record = bench_in(folder, tmp_path / "record.json")
    assert record["bound_by"] == "quota", record["attribution"]
    assert "the CPU quota of 0.5 cores was used up" in record["attribution"]
    assert record["environment"]["cpu_quota_cores"] == 0.5
