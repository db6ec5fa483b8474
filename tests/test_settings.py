"""Where settings are looked for, and what is said of a place in their file."""

from pathlib import Path

import pytest

from bench import settings
from bench.errors import UsageError


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_nearest_file_up_to_the_repositorys_root_holds(tmp_path: Path) -> None:
    put(tmp_path / "bench.toml", 'rate = "1/s"')  # outside of the repository
    (tmp_path / "ours" / ".git").mkdir(parents=True)
    inner = tmp_path / "ours" / "a" / "b"
    inner.mkdir(parents=True)
    assert settings.find(inner, {}) is None
    put(tmp_path / "ours" / "pyproject.toml", '[tool.bench]\nrate = "2/s"')
    found = settings.find(inner, {})
    assert found is not None
    assert found.values == {"rate": "2/s"}
    put(tmp_path / "ours" / "a" / "bench.toml", 'rate = "3/s"')
    found = settings.find(inner, {})
    assert found is not None
    assert found.values == {"rate": "3/s"}


def test_outside_of_a_repository_only_the_folder_itself_is_looked_at(tmp_path: Path) -> None:
    put(tmp_path / "bench.toml", "")
    assert settings.find(tmp_path, {}) is not None
    (tmp_path / "inner").mkdir()
    assert settings.find(tmp_path / "inner", {}) is None


def test_a_bench_toml_comes_before_a_pyproject_of_the_same_folder(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", "[tool.bench]\nseed = 1")
    put(tmp_path / "bench.toml", "seed = 2")
    found = settings.find(tmp_path, {})
    assert found is not None
    assert found.values == {"seed": 2}


def test_a_pyproject_of_other_tools_is_no_settings_file(tmp_path: Path) -> None:
    put(tmp_path / "pyproject.toml", '[project]\nname = "bench"\n')
    assert settings.find(tmp_path, {}) is None
    put(tmp_path / "pyproject.toml", "bench = [not TOML")
    assert settings.find(tmp_path, {}) is None


def test_a_variable_names_another_file(tmp_path: Path) -> None:
    path = put(tmp_path / "other.toml", "seed = 3")
    found = settings.find(Path("/"), {"BENCH_CONFIG": str(path)})
    assert found is not None
    assert found.values == {"seed": 3}
    with pytest.raises(UsageError, match=r"missing\.toml: No such file"):
        settings.find(Path("/"), {"BENCH_CONFIG": str(tmp_path / "missing.toml")})


def test_a_file_that_is_not_toml_is_refused_in_one_line(tmp_path: Path) -> None:
    put(tmp_path / "bench.toml", "rate = ")
    with pytest.raises(UsageError, match=r"bench\.toml: not TOML: "):
        settings.find(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "text", "key", "table", "place"),
    [
        ("bench.toml", "# rates\nrate = 1\n[run]\nrate = 2", "rate", None, "bench.toml:2"),
        ("bench.toml", "# rates\nrate = 1\n[run]\nrate = 2", "rate", "run", "bench.toml:4"),
        ("bench.toml", "[queues]\na_b = 1", "queues", None, "bench.toml:1"),
        ("bench.toml", "run = {rate = 1}", "rate", "run", "bench.toml"),
        ("pyproject.toml", "[tool.bench]\n'rate' = 1", "rate", None, "pyproject.toml:2"),
        ("pyproject.toml", "[a]\nx = 1\n[tool.bench.ab]\nx=2", "x", "ab", "pyproject.toml:4"),
    ],
)
def test_a_place_is_the_file_and_the_line(
    name: str, text: str, key: str, table: str | None, place: str
) -> None:
    assert settings.SettingsFile(Path(name), {}, text).place(key, table) == place


def test_an_environment_without_settings_has_none_and_keeps_all_else() -> None:
    quiet = settings.without({"BENCH_RATE": "5/s", "HOME": "/h"})
    assert settings.are_off(quiet)
    assert quiet["BENCH_RATE"] == "5/s"  # a worker's command may want it


@pytest.mark.parametrize(
    ("files", "expected"),
    [([], False), (["pyproject.toml"], True), (["bench.toml"], True), ([".git/HEAD"], True)],
)
def test_a_project_is_known_by_its_files(tmp_path: Path, files: list[str], expected: bool) -> None:
    for name in files:
        put(tmp_path / name, "")
    assert settings.is_project(tmp_path) is expected
    inner = tmp_path / "inner"
    inner.mkdir()
    assert settings.is_project(inner) is (files == [".git/HEAD"])
