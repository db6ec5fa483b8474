"""Child processes: none outlives its parent, and none imports from the working folder."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import bench
from bench.processes import start
from bench.usage import SINGLE_THREADED
from tests.waiting import await_that

TIMEOUT_S = 20.0
PARENT = """
import os, signal, sys, threading
from bench.processes import start
{body}
print(process.pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def parent(body: str, *flags: str) -> Iterator[tuple[subprocess.Popen[bytes], psutil.Process]]:
    """A process that starts a child, and the child."""
    command = [sys.executable, *flags, "-c", PARENT.format(body=textwrap.dedent(body))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            yield process, psutil.Process(int(process.stdout.readline()))
        finally:
            process.kill()


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


SLEEPER = "process = start.start(['sleep', '600'])"


@pytest.mark.parametrize(
    "body",
    [
        SLEEPER,
        # The thread that started it has ended, which is no end of the parent.
        f"""
        def begin():
            global process
            {SLEEPER}
        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
        """,
        # It is stopped.
        f"{SLEEPER}\nprocess.send_signal(signal.SIGSTOP)",
    ],
    ids=["plain", "by a thread", "stopped"],
)
def test_a_child_ends_when_its_parent_is_killed(body: str) -> None:
    with parent(body) as (process, child):
        assert not is_gone(child)
        process.kill()
        await_that(lambda: is_gone(child))


def test_what_a_child_has_started_ends_with_it_even_in_a_session_of_its_own() -> None:
    with parent("process = start.start(['sh', '-c', 'setsid sleep 600; true'])") as (
        process,
        child,
    ):
        await_that(lambda: len(child.children(recursive=True)) == 1)
        (grandchild,) = child.children(recursive=True)
        process.kill()
        await_that(lambda: is_gone(child) and is_gone(grandchild))


def test_a_child_may_end_in_order_when_its_parent_is_killed(tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"trap 'touch {done}; exit' TERM; echo; while :; do sleep 0.01; done"
    body = f"""
    process = start.start(['sh', '-c', {script!r}], stdout=start.subprocess.PIPE)
    process.stdout.readline()
    """
    with parent(body) as (process, child):
        process.kill()
        await_that(lambda: is_gone(child))
        assert done.exists()


def test_ctrl_c_does_not_reach_a_child() -> None:
    process = start.start(["sleep", "600"])
    try:
        assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
    finally:
        process.end()
    assert process.returncode == -signal.SIGKILL


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    began_s, note = time.monotonic(), tmp_path / "group"
    with pytest.raises(subprocess.TimeoutExpired):
        start.run(["sh", "-c", f"echo $$ > {note}; sleep 600 & sleep 600"], 0.5)
    assert time.monotonic() - began_s < TIMEOUT_S
    group = int(note.read_text())
    await_that(lambda: not members_of(group))


def members_of(group: int) -> list[psutil.Process]:
    """The living processes of a process group."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and not is_gone(process):
                found.append(process)
    return found


def test_a_program_that_is_missing_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError):
        start.start(["/no/such/program"])


def test_a_pipe_has_no_number_of_a_standard_stream() -> None:
    script = """
        import os, sys
        os.close(0); os.close(1)
        from bench.processes import start
        sys.exit(min(start.pipe()) < 3)
    """
    assert (
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False).returncode == 0
    )


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: it holds files with the names of modules that everything imports."""
    (tmp_path / "bench").mkdir()
    for name in ("queue", "redis", "select", "numpy", "typing", "re", "bench/__init__"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('imported {name}')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


CHECK = "import bench, queue, redis; print(bench.__file__)"


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of modules elsewhere, whose module ``check`` prints where the package is."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "check.py").write_text(CHECK)
    return folder


@pytest.mark.parametrize("path", ["{}", ":{}", "{}:"])
def test_a_child_interpreter_imports_nothing_from_the_working_folder(
    trap: Path, installed: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", path.format(installed))
    done = start.run(start.python("check"), TIMEOUT_S, start.python_environment())
    assert (done.code, done.errors) == (0, "")
    assert Path(done.output.strip()) == Path(bench.__file__)
    assert not (trap / "__pycache__").exists()


@pytest.mark.slow
def test_a_child_interpreter_has_the_package_of_its_parent(tmp_path: Path, installed: Path) -> None:
    """Also where the parent found it in its working folder, as in a checkout."""
    package = tmp_path / "bench"
    shutil.copytree(Path(bench.__file__).parent, package)
    script = (
        "from bench.processes import start; "
        "print(start.run(start.python('check'), 20, start.python_environment()).output)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(done.stdout.strip()) == package / "__init__.py"


def test_what_removes_the_folders_of_a_killed_parent_imports_nothing_from_there(
    trap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(trap))
    (trap / "shutil.py").write_text(f"open({str(trap / 'imported')!r}, 'w')\n")
    body = """
    from bench.processes import folders
    os.environ["PYTHONPATH"] = ":"
    process = start.start(['sleep', '600'])
    held = folders.held("test")
    held.__enter__()
    """
    with parent(body, "-P") as (process, child):
        (folder,) = trap.glob("*/test-*")
        process.kill()
        await_that(lambda: is_gone(child) and not folder.exists())
    assert not (trap / "imported").exists()


def test_a_program_of_others_has_the_environment_of_the_user(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in SINGLE_THREADED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", ":/of/the/user")
    before = dict(os.environ)
    for name, value in start.python_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", ":/of/the/user")
    done = start.run(["env", "-0"], TIMEOUT_S)
    assert dict(line.split("=", 1) for line in done.output.split("\0") if line) == before


def test_a_number_of_threads_that_the_user_has_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert start.python_environment()["OMP_NUM_THREADS"] == "4"


def test_a_path_of_modules_that_the_user_has_set_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), "", "/nowhere"]))
    assert start.python_environment()["PYTHONPATH"] == f"{tmp_path}{os.pathsep}/nowhere"


@pytest.mark.parametrize("path", [None, ":/nowhere"])
def test_the_command_itself_imports_nothing_from_the_working_folder(
    trap: Path, path: str | None
) -> None:
    (trap / "bench" / "__init__.py").unlink()
    for name in ("re", "typing"):  # with that path, the interpreter itself imports them first
        (trap / f"{name}.py").rename(trap / f"{name}.{'py' if path is None else 'txt'}")
    environment = {**os.environ, **({} if path is None else {"PYTHONPATH": path})}
    done = subprocess.run(
        [sys.executable, "-m", "bench", "scenarios"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_guardian_that_somebody_has_stopped_holds_no_command() -> None:
    code = """
        import os, signal
        from bench.processes import start
        start.run(["true"], 10)
        os.kill(start._guardian.process.pid, signal.SIGSTOP)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    assert subprocess.run(command, timeout=TIMEOUT_S, check=False).returncode == 0
