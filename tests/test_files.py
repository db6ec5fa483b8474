"""Files are written whole, keep what they were, and are never lost."""

import os
import resource
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench import files, result_files
from bench.errors import UsageError

DATA = b"measured\n"


def names_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_link_is_followed_and_stays_a_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    link, target = folder / "link.json", folder / "elsewhere" / "run.json"
    link.symlink_to(Path("elsewhere") / "run.json")
    for _ in ("the target is missing", "the target exists"):
        files.require_writable(link)
        files.write_whole(link, DATA)
        assert link.is_symlink()
        assert not target.is_symlink()
        assert target.read_bytes() == DATA


def test_links_in_a_circle_are_told_before_anything_is_measured(folder: Path) -> None:
    link = folder / "link.json"
    link.symlink_to(link)
    with pytest.raises(UsageError, match=r"^cannot write .*link\.json: Too many levels"):
        files.require_writable(link)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_file_keeps_its_mode(folder: Path, mode: int) -> None:
    path = folder / "run.json"
    path.write_bytes(b"before")
    path.chmod(mode)
    files.write_whole(path, DATA)
    assert (stat.S_IMODE(path.stat().st_mode), path.read_bytes()) == (mode, DATA)


def test_all_names_of_a_file_still_name_one_file(folder: Path) -> None:
    path, other = folder / "run.json", folder / "other.json"
    path.write_bytes(b"a longer content than what follows")
    other.hardlink_to(path)
    files.write_whole(path, DATA)
    assert other.read_bytes() == DATA
    assert other.samefile(path)
    assert names_in(folder) == ["other.json", "run.json"]


def test_a_pipe_gets_the_data_and_stays_a_pipe(folder: Path) -> None:
    path, data = folder / "pipe", DATA * 100_000  # more than a pipe holds
    os.mkfifo(path)
    files.require_writable(path)
    with ThreadPoolExecutor() as pool, os.fdopen(os.open(path, os.O_RDWR), "rb") as reader:
        written = pool.submit(files.write_whole, path, data)
        assert reader.read(len(data)) == data
        written.result(timeout=10)
    assert path.is_fifo()


def test_a_pipe_without_a_reader_holds_nobody_up(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(UsageError, match=r"^cannot write .*pipe: "):
        files.write_whole(folder / "pipe", DATA)


def test_a_device_is_written_to() -> None:
    before = Path(os.devnull).stat()
    files.require_writable(Path(os.devnull))
    files.write_whole(Path(os.devnull), DATA)
    after = Path(os.devnull).stat()
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)


def test_a_socket_is_refused_before_anything_is_measured(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(UsageError, match="it is a socket; name a file"):
            files.require_writable(Path("socket"))


@pytest.mark.parametrize("length", [240, 250, 255])
def test_the_longest_names_can_be_written(folder: Path, length: int) -> None:
    path = folder / ("n" * length)
    files.require_writable(path)
    files.write_whole(path, DATA)
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("path", ["n" * 256, "/".join(["folder" * 20] * 80) + "/run.json"])
def test_impossible_names_are_told_before_anything_is_measured(folder: Path, path: str) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        files.require_writable(Path(path))
    assert names_in(folder) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_not_replaced(folder: Path) -> None:
    path = folder / "run.json"
    path.write_bytes(b"before")
    path.chmod(0o444)
    with pytest.raises(UsageError, match="Permission denied"):
        files.require_writable(path)
    with pytest.raises(UsageError, match="Permission denied"):
        files.write_whole(path, DATA)
    assert path.read_bytes() == b"before"


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs a full device")
def test_what_cannot_be_saved_is_saved_elsewhere_and_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    with pytest.raises(UsageError, match=r"^cannot write /dev/full: No space left") as told:
        files.save(Path("/dev/full"), DATA)
    (name,) = names_in(folder)
    assert str(told.value).endswith(f"; it was saved as {folder / name}")
    assert (folder / name).read_bytes() == DATA


def test_what_a_killed_process_had_reserved_is_removed_by_the_next_and_nothing_else(
    folder: Path,
) -> None:
    """An empty file among the results would be taken for a record that cannot be read."""
    code = (
        "import os; from bench.result_files import new_file, new_folder\n"
        "new_file('killed'); new_folder('killed'); os.kill(os.getpid(), 9)"
    )
    living = result_files.new_file("living")
    others = [result_files.RESULTS / name for name in ("empty.json", "20260101-000000-full.json")]
    for path, text in zip(others, ("", "{}"), strict=True):
        path.write_text(text)
    killed = subprocess.run([sys.executable, "-c", code], cwd=folder, check=False)
    assert killed.returncode == -9
    assert len(names_in(result_files.RESULTS)) == 5
    made = result_files.new_file("next")
    assert set(result_files.RESULTS.iterdir()) == {living, made, *others}
    result_files.release()
    assert set(result_files.RESULTS.iterdir()) == set(others)


def limited(size: int, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process none of whose files may be longer: like a disk that is full."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_is_told_before_anything_is_measured(folder: Path) -> None:
    code = (
        "from pathlib import Path; from bench import files\n"
        "files.require_writable(Path('run.json'))"
    )
    refused = limited(4096, code, folder)
    assert refused.stderr.splitlines()[-1].endswith("cannot write run.json: File too large")
    assert names_in(folder) == []
    assert limited(1 << 20, code, folder).returncode == 0
    assert names_in(folder) == []


def test_what_can_be_saved_nowhere_is_told_and_leaves_no_half_file(folder: Path) -> None:
    code = (
        "from pathlib import Path; from bench import files\n"
        "files.save(Path('run.json'), bytes(5000))"
    )
    refused = limited(4096, code, folder)
    told = refused.stderr.splitlines()[-1]
    assert "cannot write run.json: File too large; nor can any folder for temporary" in told
    assert names_in(folder) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_where_the_temporary_folder_is_full_as_well_another_folder_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "refuge").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder / "missing"))
    monkeypatch.setattr(files, "_SHARED", (folder / "missing-too", folder / "refuge"))
    with pytest.raises(UsageError, match=f"; it was saved as {folder}/refuge/runqy-bench-"):
        files.save(Path("/dev/full"), DATA)
    (made,) = (folder / "refuge").iterdir()
    assert made.read_bytes() == DATA


@pytest.mark.parametrize("place", ["/dev/fd/{}", "/proc/self/fd/{}", "link"])
def test_what_leads_to_a_descriptor_is_written_as_it_was_opened(folder: Path, place: str) -> None:
    """As ``-o /dev/stdout >> all.txt``: behind what is there, and without a file in its place."""
    path = folder / "all.txt"
    path.write_text("earlier\n")
    before = path.stat()
    with path.open("a") as opened:
        Path("link").symlink_to(f"/dev/fd/{opened.fileno()}")
        named = Path(place.format(opened.fileno()))
        files.require_writable(named)
        for data in (b"first\n", b"second\n"):
            files.write_whole(named, data)
        opened.write("later\n")
    after = path.stat()
    assert path.read_text() == "earlier\nfirst\nsecond\nlater\n"
    assert (after.st_ino, after.st_mode) == (before.st_ino, before.st_mode)
    assert files.is_stream(Path("/dev/fd/1"))
    assert not files.is_stream(path)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_descriptor_of_another_process_is_appended_to(folder: Path) -> None:
    """As ``-o /proc/1/fd/1`` does in a container."""
    path = folder / "log"
    path.write_text("earlier\n")
    with path.open("a") as log, subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log) as cat:
        named = Path(f"/proc/{cat.pid}/fd/1")
        files.require_writable(named)
        files.write_whole(named, DATA)
    assert path.read_bytes() == b"earlier\n" + DATA


def test_a_descriptor_that_cannot_be_written_is_told_before_anything_is_measured() -> None:
    with Path(os.devnull).open() as opened:
        number = opened.fileno()
        named = Path(f"/dev/fd/{number}")
        with pytest.raises(UsageError, match=f"^cannot write {named}: it is not open for writing"):
            files.require_writable(named)
    for closed in (number, 10**30):
        with pytest.raises(UsageError, match=r"^cannot write /dev/fd/\d+: Bad file descriptor"):
            files.require_writable(Path(f"/dev/fd/{closed}"))


def test_what_is_read_again_needs_a_file(folder: Path) -> None:
    files.require_file(folder / "run.json", "it is read again")
    for path in (Path(os.devnull), Path("/dev/fd/1")):
        with pytest.raises(UsageError, match=f"^{path} is no file on a disk, but it is read again"):
            files.require_file(path, "it is read again")


def test_default_names_never_name_the_same_file(folder: Path) -> None:
    made = [result_files.new_file("smoke") for _ in range(3)]
    assert len(set(made)) == 3
    assert all(path.stat().st_size == 0 for path in made)
    folders = [result_files.new_folder("ab-smoke") for _ in range(3)]
    assert len(set(folders)) == 3
    files.write_whole(made[1], DATA)
    files.write_whole(folders[1] / "job.json", DATA)
    result_files.release()
    assert names_in(result_files.RESULTS) == sorted([made[1].name, folders[1].name])


def test_a_default_name_is_possible_whatever_the_scenario_is_called() -> None:
    path = result_files.new_file("ä/" * 1000)
    assert path.exists()
    result_files.release()
