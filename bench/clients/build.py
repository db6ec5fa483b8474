"""Makes the clients' programs ready to start: finds their tools and builds them where needed.

Builds are kept in the user's cache folder, in a folder named after a digest of their sources and
the tool's version, so that each is built once. A missing tool or a failed build is not an error:
it is the reason why a client is skipped.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.clients.catalogue import Client
from bench.errors import UsageError
from bench.processes import folders, start
from bench.secrets import hide

Notify = Callable[[str], None]

_SOURCES = Path(__file__).parent
_TIMEOUT_S = 600
_VERSION_TIMEOUT_S = 60
_LEAST_NODE = 18
_NEEDS_REDIS_CLI = "needs redis-cli: apt-get install redis-tools"
_NEEDS_NODE = f"needs Node.js {_LEAST_NODE} or newer and npm: apt-get install nodejs npm"
_NPM_LINE = re.compile(r"^npm (?:error|ERR!) (\S.*)$", re.MULTILINE)
_NPM_CODES = ("code ", "errno ", "syscall ")


class Unavailable(Exception):  # noqa: N818 - what happened, not a fault
    """A client cannot be run here. The message says what is missing, and what to install."""


@dataclass(frozen=True)
class Program:
    """A client's program, ready to start."""

    command: tuple[str, ...]
    runs_on: str
    """Language and library with their versions, for the record."""


def prepare(client: Client, notify: Notify) -> Program:
    """Build the client's program where needed and return it.

    ``notify`` is called with one line before a build, which may take minutes. Raises Unavailable.
    """
    match client.toolchain:
        case "python":
            return _python(client, f"redis-py {importlib.metadata.version('redis')}")
        case "redis-cli":
            _require("redis-cli", _NEEDS_REDIS_CLI)
            version = _output(["redis-cli", "--version"], _NEEDS_REDIS_CLI)
            return Program(tuple(start.python(*client.program)), version)
        case "node":
            return _node(client, notify)
        case "go":
            return _go(client, notify)


def _python(client: Client, library: str) -> Program:
    command = tuple(start.python(*client.program))
    return Program(command, f"Python {platform.python_version()}, {library}")


def _node(client: Client, notify: Notify) -> Program:
    _require("node", _NEEDS_NODE)
    _require("npm", _NEEDS_NODE)
    version = _output(["node", "--version"], _NEEDS_NODE).removeprefix("v")
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < _LEAST_NODE:
        raise Unavailable(f"{_NEEDS_NODE} (found {version})")

    def build(folder: Path) -> None:
        notify("fetching the libraries of the Node.js clients (npm ci); this is done once")
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]
        _run(command, folder)

    folder = _built("node", version, build)
    lock = json.loads((folder / "package-lock.json").read_text())
    ioredis = lock["packages"]["node_modules/ioredis"]["version"]
    command = ("node", str(folder / "client.js"), *client.program)
    return Program(command, f"Node.js {version}, ioredis {ioredis}")


def _go(client: Client, notify: Notify) -> Program:
    module = (_SOURCES / "go" / "go.mod").read_text()
    needs = f"needs Go {_of_module(module, 'go')} or newer: apt-get install golang-go"
    _require("go", needs)
    version = _output(["go", "env", "GOVERSION"], needs)

    def build(folder: Path) -> None:
        notify("building the Go clients (go build); this is done once")
        _run(["go", "build", "-trimpath", "-o", "client", "."], folder)

    folder = _built("go", version, build)
    runs_on = (
        f"Go {version.removeprefix('go')}, {client.library.split('/')[1]} "
        f"{_of_module(module, f'github.com/{client.library}')}"
    )
    return Program((str(folder / "client"), *client.program), runs_on)


def _of_module(module: str, name: str) -> str:
    """The version that a ``go.mod`` requires of a module or of ``go``; empty when it has none."""
    found = re.search(rf"^\s*(?:require )?{re.escape(name)} v?([\d.]+)", module, re.MULTILINE)
    return found[1] if found else ""


def _require(tool: str, needs: str) -> None:
    if shutil.which(tool) is None:
        raise Unavailable(needs)


def _output(command: list[str], needs: str) -> str:
    try:
        done = start.run(command, _VERSION_TIMEOUT_S)
    except (OSError, subprocess.TimeoutExpired):
        done = None
    if done is None or done.code != 0:
        raise Unavailable(f"{needs} ({command[0]} is installed but does not run)")
    return done.output.strip()


def _built(kind: str, version: str, build: Callable[[Path], None]) -> Path:
    """The folder with the build of these sources by that version of the tool, made if needed."""
    sources = _SOURCES / kind
    try:
        cache = _cache()
        target = cache / f"{kind}-{_digest(sources, version)}"
        if target.is_dir():
            return target
        cache.mkdir(parents=True, exist_ok=True)
        # Built beside the target and renamed when complete: another process may build the same.
        with folders.held(f".{kind}", cache) as temporary:
            folder = temporary / kind
            shutil.copytree(sources, folder, ignore=shutil.ignore_patterns("node_modules"))
            build(folder)
            try:
                folder.rename(target)
            except OSError:
                if not target.is_dir():
                    raise
    except UsageError as error:
        raise Unavailable(f"cannot be built: {error}") from None
    except OSError as error:
        path = error.filename or _cache()
        raise Unavailable(f"cannot be built: {path}: {error.strerror or error}") from None
    return target


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "runqy-bench" / "clients"


def _digest(sources: Path, version: str) -> str:
    digest = hashlib.sha256(f"{version} {platform.system()} {platform.machine()}".encode())
    for path in sorted(sources.iterdir()):
        if path.is_file():
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: list[str], folder: Path) -> None:
    try:
        # The tool's own temporary files are removed with the folder of the build.
        environment = {**start.user_environment(), "TMPDIR": str(folder.parent)}
        done = start.run(command, _TIMEOUT_S, environment, folder)
    except subprocess.TimeoutExpired:
        minutes = _TIMEOUT_S // 60
        raise Unavailable(f"{' '.join(command[:2])} took more than {minutes} minutes") from None
    if done.code != 0:
        reason = _reason(done.errors or done.output)
        raise Unavailable(f"{' '.join(command[:2])} failed: {reason}")


def _reason(output: str) -> str:
    """The line of a tool's output that tells why it failed.

    It is the last line. npm adds stack and advice, so of its lines it is the first that is a
    sentence: ``npm error code ECONNREFUSED`` and the like are followed by one.
    """
    output = hide(output)  # npm and Go quote the URLs of registries
    errors = [line[1] for line in _NPM_LINE.finditer(output)]
    sentences = [line for line in errors if not line.startswith(_NPM_CODES)]
    lines = sentences[:1] or [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
