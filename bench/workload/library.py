"""Finds a scenario: a built-in one by name, or a TOML file by path."""

import tomllib
from importlib.resources import files
from pathlib import Path

from bench.errors import ScenarioError, nearest
from bench.reading import read_file

DEFAULT = "default"
MOST_BYTES = 1 << 20
"""Size of the largest file of a scenario: a thousand queues take a tenth of it."""

_ORDER = (
    "smoke",
    DEFAULT,
    "latency",
    "enqueue-max",
    "e2e-max",
    "ramp",
    "priority",
    "backlog",
    "capacity",
    "chaos",
)


def names() -> list[str]:
    """Returns the names of the built-in scenarios, those to try first at the top."""
    return list(_ORDER)


def text_of(name: str) -> str:
    """Returns a built-in scenario as TOML. Raises ScenarioError where none has that name."""
    if name not in _ORDER:
        hint = nearest(name, _ORDER) or ": see 'bench scenarios'"
        raise ScenarioError(f"no scenario {name!r}{hint}")
    return (files("bench.scenarios") / f"{name}.toml").read_text(encoding="utf-8")


def names_file(name_or_path: str) -> bool:
    """Returns whether a scenario is a file, and not a built-in one."""
    return name_or_path.endswith(".toml") or "/" in name_or_path


def load(name_or_path: str) -> tuple[str, dict[str, object]]:
    """Returns (what messages call the scenario, its fields as written).

    Anything that ends in ``.toml`` or holds a path separator is a file. A ``payload_file`` in it
    is relative to that file. Raises ScenarioError where the file cannot be read.
    """
    if "\0" in name_or_path:
        raise ScenarioError(f"{name_or_path!r} is not the name of a file")
    if "://" in name_or_path:  # not quoted: it may hold a password
        raise ScenarioError("a scenario is a name or a .toml file; a server goes with --redis-url")
    if not names_file(name_or_path):
        return name_or_path, {"name": name_or_path, **tomllib.loads(text_of(name_or_path))}
    path = Path(name_or_path)
    try:
        fields = tomllib.loads(read_file(path, MOST_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ScenarioError(f"{path}: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise ScenarioError(f"{path}: not TOML: {error}") from None
    payload_file = fields.get("payload_file")
    if isinstance(payload_file, str):
        fields["payload_file"] = str(path.parent / payload_file)
    return str(path), {"name": path.stem, **fields}
