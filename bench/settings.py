"""A user's own defaults of flags: variables ``BENCH_…``, and a project's ``bench.toml``."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UsageError
from bench.reading import read_file

PREFIX = "BENCH_"
FILE_VARIABLE = "BENCH_CONFIG"
"""Variable that names the file of settings to read, in place of looking for one."""
TLS_FLAGS = ("tls_ca", "tls_cert", "tls_key", "tls_server_name", "tls_insecure")
"""Flags whose variables are read together with that of the server's URL, by every process."""
READ_ELSEWHERE = frozenset(
    {"BENCH_REDIS_URL", "BENCH_RESULTS", FILE_VARIABLE}
    | {f"{PREFIX}{each.upper()}" for each in TLS_FLAGS}
)
"""Variables that set no default of a flag."""
NOTHING = "none"
"""Value of that variable with which neither a file nor any variable sets a flag."""
OWN_FILE, PROJECT_FILE = "bench.toml", "pyproject.toml"
_TABLE = ("tool", "bench")
_MOST_BYTES = 1 << 20
_HEADING = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*[=.]""")


@dataclass(frozen=True)
class SettingsFile:
    """The settings of a project as they are written."""

    path: Path
    values: Mapping[str, object]
    """Defaults for all commands by flag, and a table for each command that has its own."""
    text: str

    def place(self, key: str, table: str | None = None) -> str:
        """Returns the file and, where it can be told, the line of a key, as ``bench.toml:3``.

        ``table`` is the command whose table holds the key; None for the defaults of all.
        """
        prefix = ".".join(_TABLE) if self.path.name == PROJECT_FILE else ""
        wanted = ".".join(filter(None, (prefix, table)))
        current = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            if heading := _HEADING.fullmatch(line):
                current = re.sub(r"[\s\"']", "", heading[1])
                if table is None and current == f"{wanted}.{key}".lstrip("."):
                    return f"{self.path.name}:{number}"
            elif current == wanted and (found := _KEY.match(line)) and found[1] == key:
                return f"{self.path.name}:{number}"
        return self.path.name


def are_off(environment: Mapping[str, str]) -> bool:
    """Whether no settings apply: a process that was started with all of its flags must not find
    others."""
    return environment.get(FILE_VARIABLE) == NOTHING


def without(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns an environment in which a command takes all of its flags from its command line."""
    return {**environment, FILE_VARIABLE: NOTHING}


def variable_of(flag: str, command: str | None = None) -> str:
    """Returns the variable of a flag, such as ``rate`` or ``payload_size``: ``BENCH_RATE``, or with
    a command ``BENCH_RUN_RATE``."""
    return PREFIX + "_".join(filter(None, (command, flag))).upper().replace("-", "_")


def working_folder() -> Path:
    """Returns the working folder, or the root where it is no more."""
    try:
        return Path.cwd()
    except OSError:
        return Path("/")


def find(folder: Path, environment: Mapping[str, str]) -> SettingsFile | None:
    """Returns the settings that hold in a folder; None where there are none.

    They are in the file that ``BENCH_CONFIG`` names, or else in the nearest ``bench.toml``, or
    ``pyproject.toml`` with a table ``[tool.bench]``, from the folder upwards to the root of its
    repository. Outside of a repository only the folder itself is looked at: a file in ``/tmp`` or
    in a home is not meant for everything below. Raises UsageError for a file that cannot be read.
    """
    if named := environment.get(FILE_VARIABLE):
        made = _read(Path(named), must_exist=True)
        return made or SettingsFile(Path(named), {}, "")
    for each in _searched(folder):
        for name in (OWN_FILE, PROJECT_FILE):
            if (made := _read(each / name)) is not None:
                return made
    return None


def may_apply(folder: Path, environment: Mapping[str, str]) -> bool:
    """Whether a command has to look for settings at all. Raises UsageError as ``find``."""
    if are_off(environment):
        return False
    return (
        any(name.startswith(PREFIX) for name in environment.keys() - READ_ELSEWHERE)
        or find(folder, environment) is not None
    )


def is_project(folder: Path) -> bool:
    """Whether a folder belongs to a project: it has settings, is a package, or in a repository."""
    has_file = any((folder / name).exists() for name in (OWN_FILE, PROJECT_FILE))
    return has_file or _has_git(_searched(folder)[-1])


def _searched(folder: Path) -> list[Path]:
    """The folder and those above it, up to the root of the repository that holds it."""
    above = [folder, *folder.parents]
    for number, each in enumerate(above, 1):
        if _has_git(each):
            return above[:number]
    return [folder]


def _has_git(folder: Path) -> bool:
    return os.path.lexists(folder / ".git")  # a file in a worktree


def _read(path: Path, *, must_exist: bool = False) -> SettingsFile | None:
    try:
        data = read_file(path, _MOST_BYTES)
    except OSError as error:
        if not must_exist and isinstance(error, FileNotFoundError | NotADirectoryError):
            return None
        raise UsageError(
            f"{path}: {error.strerror or error}; mend it, or set {FILE_VARIABLE}={NOTHING}"
        ) from None
    is_own = path.name != PROJECT_FILE
    if not is_own and b"bench" not in data:
        return None  # most of them, without parsing
    try:
        text = data.decode("utf-8-sig")
        values: object = tomllib.loads(text)
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply") from None
    except ValueError as error:  # no UTF-8, no TOML
        if not is_own:
            return None  # other tools say so
        raise UsageError(f"{path}: not TOML: {error}") from None
    for key in () if is_own else _TABLE:
        values = values.get(key) if isinstance(values, dict) else None
    if values is None:
        return None
    if not isinstance(values, dict):
        raise UsageError(f"{path}: [tool.bench] must be a table")
    return SettingsFile(path, values, text)
