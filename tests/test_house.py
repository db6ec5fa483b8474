"""How large the parts of the code may be, and that a class name means one thing."""

import ast
import math
import statistics
from collections import defaultdict

from tests.sources import definitions, python_files, relative

MEDIAN_LINES, P90_LINES, MAX_LINES = 8, 19, 50
MAX_FILE_LINES = 400


def function_lines() -> dict[str, int]:
    """``path:line name`` of each function to its length, from ``def`` to its last line."""
    return {
        f"{path}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path, node in definitions()
        if not isinstance(node, ast.ClassDef)
    }


def test_functions_are_short() -> None:
    lengths = function_lines()
    ordered = sorted(lengths.values())
    assert statistics.median(ordered) <= MEDIAN_LINES
    assert ordered[math.ceil(0.9 * len(ordered)) - 1] <= P90_LINES
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_files_are_short() -> None:
    lengths = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files()
    }
    assert {path: lines for path, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_a_class_name_means_one_thing() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path, node in definitions():
        if isinstance(node, ast.ClassDef) and path.startswith("bench/"):
            places[node.name].append(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
