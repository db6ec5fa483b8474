"""Where the results go for which the user names no file."""

from pathlib import Path

import pytest

from bench import result_files
from bench.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which belongs to no project; the user's data are below ``data``."""
    monkeypatch.delenv("BENCH_RESULTS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def test_nothing_is_left_in_a_folder_that_is_nobodys_project(folder: Path) -> None:
    made = result_files.new_file("smoke")
    assert made.parent == folder.parent / "data" / "runqy-bench" / "results"
    assert list(folder.iterdir()) == []
    result_files.release()


@pytest.mark.parametrize("mark", ["bench.toml", "pyproject.toml", ".git", "results"])
def test_a_project_and_a_folder_that_is_there_hold_their_results(folder: Path, mark: str) -> None:
    if "." in mark[1:]:
        (folder / mark).touch()
    else:
        (folder / mark).mkdir()
    assert result_files.folder() == Path("results")


def test_the_user_has_the_last_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "results").mkdir()
    monkeypatch.setenv("BENCH_RESULTS", "of/variable")
    assert result_files.folder() == Path("of/variable")
    result_files.use(Path("of/flag"))
    assert result_files.folder() == Path("of/flag")
    result_files.use(None)
    monkeypatch.setenv("BENCH_RESULTS", "")
    with pytest.raises(UsageError, match="BENCH_RESULTS is set, but empty"):
        result_files.folder()


def test_a_home_holds_them_without_a_variable(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(folder.parent / "me"))
    expected = folder.parent / "me" / ".local" / "share" / "runqy-bench" / "results"
    assert result_files.folder() == expected
