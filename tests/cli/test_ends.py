"""However a command ends, it leaves nothing: no process, no folder, and no keys where it can."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.records import run_record
from bench.run import killed_runs
from bench.secrets import address
from tests.cli.conftest import expected_code
from tests.waiting import await_that

pytestmark = pytest.mark.slow

TIMEOUT_S = 60.0
MARK = "BENCH_TEST_FAMILY"
LOCUSTFILES = Path(__file__).parents[2] / "locustfiles"
WORKER = Path(__file__).parents[1] / "peers" / "plain_worker.py"
RUN = ("run", "smoke", "--rate", "200/s", "--duration", "10m", "-o", "record.json")
SEARCH = ("capacity", "--workers", "1", "--slo", "e2e.p99 < 50ms", "-o", "record.json")
JOB = ("ab", "smoke", "--b", "--prefetch 1", "--duration", "60s", "--pairs", "1", "-o", "job")
CLIENTS = ("clients", "--only", "python-seed", "--tasks", "300000", "-o", "record.json")
BY_COMMAND = (*RUN, "--worker-command", f"sh -c '{sys.executable} {WORKER} summary {{queues}}'")
COMMANDS = {
    "run": RUN,
    "run with a worker command": BY_COMMAND,
    "distributed run": (*RUN, "--distributed"),
    "search": SEARCH,
    "job": JOB,
    "clients": CLIENTS,
    "worker": ("worker", "inference"),
}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory of the command under test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv(MARK, str(tmp_path))
    return folder


def family(mark: str) -> list[psutil.Process]:
    """Living processes that descend from the command under test, wherever they have gone."""
    found = []
    for process in psutil.process_iter():
        try:
            is_alive = process.status() != psutil.STATUS_ZOMBIE
            if is_alive and process.environ().get(MARK) == mark and process.pid != os.getpid():
                found.append(process)
        except psutil.Error:
            continue
    return found


def left_in(temporary: Path) -> list[Path]:
    """What is in the temporary directory, beside the folder of folders and notes of killed runs."""
    found = [path for path in temporary.rglob("*") if path.parent != temporary]
    return [path for path in found if path not in notes_in(temporary)]


def notes_in(temporary: Path) -> list[Path]:
    """The notes of runs that were killed before they had cleaned their server."""
    return list(temporary.glob("*/run-on-a-server.*"))


@contextlib.contextmanager
def started(
    words: Sequence[str], url: str, errors: int = subprocess.DEVNULL
) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words, "--redis-url", address(url)],
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()  # it would be waited for
            raise


def is_at_work(client: Any) -> bool:
    return client.dbsize() > 30 or any(client.scan_iter("asynq:workers:*"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_no_process_and_no_folder(
    name: str, tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    with started(COMMANDS[name], url) as process:
        await_that(lambda: is_at_work(client))
        process.kill()
    # A process that becomes another program, as the guardian does, has no variables for a moment.
    await_that(lambda: not family(str(tmp_path)) and not left_in(temporary))


@pytest.mark.parametrize(
    "words",
    [
        ("--queues", "inference_default=1", "--workers", "0"),
        ("--layout", "asynq", "--queues", "inference.default=1", "--duplicate-check"),
        ("--worker-command", f"{sys.executable} -m bench worker inference --service-time 6s"),
    ],
    ids=["runqy", "asynq", "a worker that holds tasks"],
)
def test_the_next_run_on_a_server_removes_what_a_killed_one_left_there(
    words: tuple[str, ...], tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    """It waits for what the killed one had started, which may write until it has ended, and knows
    the server by another address."""
    with started((*RUN, *words), url) as process:
        await_that(lambda: client.dbsize() > 30 or any(client.scan_iter("asynq:*:processed")))
        process.kill()
    client.set("theirs", 1)
    assert len(notes_in(temporary)) == 1
    other = ("run", "smoke", "--workers", "0", "--tasks", "5", "-o", "next.json")
    with started(other, url.replace("127.0.0.1", "localhost")) as process:
        code = process.wait(TIMEOUT_S)
    following = run_record.load(Path("next.json"))
    assert code == expected_code(following)
    await_that(lambda: not family(str(tmp_path)))
    assert client.keys() == [b"theirs"]
    assert notes_in(temporary) == []
    (message,) = [each.message for each in following.warnings if each.code == "removed_left"]
    assert re.search(
        r"before the run, [\d,]+ keys? of a command that was killed had to be", message
    )


def test_what_a_killed_run_was_to_keep_stays(temporary: Path, client: Any, url: str) -> None:
    with started((*RUN, "--workers", "0", "--keep"), url) as process:
        await_that(lambda: is_at_work(client))
        process.kill()
    assert notes_in(temporary) == []
    assert killed_runs.remove_left(client, killed_runs.server_of(client, url)) == 0
    assert client.dbsize() > 30


@pytest.mark.parametrize("layout", ["runqy", "asynq"])
def test_the_next_command_removes_what_killed_clients_left_and_no_task_of_others(
    layout: str, tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    """Clients choose ids of their own, and one may be ended between a task's two commands."""
    name = "python-seed" if layout == "runqy" else "bench-asynq"
    words = ("clients", "--only", name, "--layout", layout, "--tasks", "300000", "-o", "r.json")
    with started(words, url) as process:
        await_that(lambda: is_at_work(client))
        process.kill()
    await_that(lambda: not family(str(tmp_path)))
    assert client.dbsize() > 30
    unlisted = client.lpop("asynq:inference_default:pending")
    if layout == "asynq":
        unlisted = client.lpop("asynq:{inference_default}:pending")
    assert unlisted is not None
    client.hset("asynq:t:theirs", mapping={"type": "task", "queue": "inference_default"})
    other = ("run", "smoke", "--workers", "0", "--tasks", "5", "-o", "next.json")
    with started(other, url) as process:
        code = process.wait(TIMEOUT_S)
    assert code == expected_code(run_record.load(Path("next.json")))
    assert set(client.keys()) <= {b"asynq:t:theirs", b"asynq:queues"}
    assert notes_in(temporary) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "words", [RUN[:6], (*CLIENTS[:3], "--tasks", "50")], ids=["run", "clients"]
)
def test_what_a_full_disk_cannot_take_is_saved_elsewhere_and_told(
    words: tuple[str, ...], tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    words = tuple("1s" if word == "10m" else word for word in words)
    with started((*words, "-o", "/dev/full", "--quiet"), url, subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=TIMEOUT_S)
    told = re.search(rb"^bench: cannot write /dev/full: .*; it was saved as (\S+)$", errors, re.M)
    assert (process.returncode, told is not None) == (2, True), errors
    assert told is not None
    assert json.loads(Path(os.fsdecode(told[1])).read_bytes())["environment"]
    assert (family(str(tmp_path)), left_in(temporary), client.dbsize()) == ([], [], 0)


@pytest.mark.skipif(not hasattr(psutil.Process, "rlimit"), reason="needs limits of other processes")
@pytest.mark.parametrize("name", ["run", "clients"])
def test_a_disk_that_fills_up_in_the_middle_is_told_and_never_ends_in_success(
    name: str, tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    """Where nothing can be written any more, not even elsewhere."""
    words = [{"10m": "2s", "300000": "2000"}.get(word, word) for word in COMMANDS[name]]
    once = ("--repeat", "1") if name == "clients" else ()
    with started((*words, *once, "--quiet"), url, subprocess.PIPE) as process:
        await_that(lambda: is_at_work(client))
        psutil.Process(process.pid).rlimit(psutil.RLIMIT_FSIZE, (0, 0))
        _, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 2
    assert errors.count(b"bench: cannot write record.json: File too large; nor can any folder") == 1
    assert not Path("record.json").exists()
    assert list(temporary.glob("runqy-bench-*")) == []
    assert (family(str(tmp_path)), left_in(temporary), client.dbsize()) == ([], [], 0)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_a_run_ends_in_order_by_every_signal_that_asks_for_it(
    number: signal.Signals, tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    with started(RUN, url) as process:
        await_that(lambda: is_at_work(client))
        process.send_signal(number)
    assert process.returncode == 130
    assert run_record.load(Path("record.json")).verdict == "incomplete"
    assert (family(str(tmp_path)), left_in(temporary), client.dbsize()) == ([], [], 0)


@pytest.mark.parametrize("name", ["distributed run", "search", "job", "clients", "worker"])
def test_every_command_ends_in_order_when_its_terminal_hangs_up(
    name: str, tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    with started(COMMANDS[name], url) as process:
        await_that(lambda: is_at_work(client))
        process.send_signal(signal.SIGHUP)
    assert process.returncode == (0 if name == "worker" else 130)
    assert (family(str(tmp_path)), left_in(temporary), client.dbsize()) == ([], [], 0)


def test_under_nohup_a_run_goes_on_without_its_terminal(
    tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    words = ["run", "smoke", "--rate", "200/s", "--duration", "2s", "-o", "record.json"]
    command = ["nohup", sys.executable, "-m", "bench", *words, "--redis-url", url]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        await_that(lambda: is_at_work(client))
        process.send_signal(signal.SIGHUP)
    assert run_record.load(Path("record.json")).verdict != "incomplete"


def test_a_closed_terminal_leaves_no_process_and_no_key(
    tmp_path: Path, temporary: Path, client: Any, url: str
) -> None:
    child, terminal = pty.fork()
    if child == 0:
        words = [sys.executable, "-m", "bench", *RUN, "--redis-url", url]
        os.execv(sys.executable, words)  # noqa: S606 - no shell
    await_that(lambda: is_at_work(client))
    os.close(terminal)
    os.waitpid(child, 0)
    await_that(lambda: not family(str(tmp_path)))
    assert (left_in(temporary), client.dbsize()) == ([], 0)


TRAPS = ("queue", "redis", "numpy", "select", "locust", "psutil", "typing")


@pytest.mark.parametrize("words", [(), ("--distributed",)], ids=["alone", "distributed"])
def test_files_with_the_names_of_modules_change_nothing(
    folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    words: tuple[str, ...],
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does an interpreter that prints as it starts, nor a file with settings for Locust."""
    (folder / "bench").mkdir()
    for name in (*TRAPS, "bench/queue"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('imported {name}')\n")
    (folder / "locust.conf").write_text("run-time = 1s\nusers = 77\n")
    printing = tmp_path_factory.mktemp("printing")
    (printing / "sitecustomize.py").write_text("print('hello ' * 100, flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(printing))
    monkeypatch.setenv("LOCUST_RUN_TIME", "1s")
    load = ("--rate", "200/s", "--duration", "2s", "-o", "record.json", "--redis-url", url)
    done = subprocess.run(
        [sys.executable, "-m", "bench", "run", "smoke", *load, *words, "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 4, 5), done.stderr
    assert "imported" not in done.stderr + done.stdout
    counts = run_record.load(folder / "record.json").counts
    assert counts.due == counts.completed == 400


def test_a_locustfile_finds_this_package_s_modules_whatever_lies_in_the_working_folder(
    folder: Path,
) -> None:
    """Locust looks there first, for what lies beside a locustfile."""
    for name in (*TRAPS, "msgspec", "hiredis"):
        (folder / f"{name}.py").write_text(f"raise SystemExit('imported {name}')\n")
    locust, file = Path(sys.executable).parent / "locust", LOCUSTFILES / "runqy.py"
    done = subprocess.run(
        [str(locust), "-f", str(file), "--list"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "imported" in done.stderr) == (0, False), done.stderr
    assert "RunqyUser" in done.stdout + done.stderr
