"""Making the clients' programs ready to start: looking for tools, and building what must be built.

What is built lies in the user's cache folder, named for its sources and for the version of the
tool that built it, so that each is built once. Whatever is missing, refused or broken here is no
error: it is the reason why a client is skipped.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.clients.catalogue import Client
from bench.secrets import hide

Notify = Callable[[str], None]

_SOURCES = Path(__file__).parent
_TIMEOUT_S = 600
_LEAST_NODE = 18
_NEEDS_REDIS_CLI = "needs redis-cli: apt-get install redis-tools"
_NEEDS_NODE = f"needs Node.js {_LEAST_NODE} or newer and npm: apt-get install nodejs npm"
_NPM_LINE = re.compile(r"^npm (?:error|ERR!) (\S.*)$", re.MULTILINE)
_NPM_CODES = ("code ", "errno ", "syscall ")


class Unavailable(Exception):  # noqa: N818 - what happened, not a fault
    """A client cannot be run here. The message says what is missing, and what to install."""


@dataclass(frozen=True)
class Program:
    """How a client is started, and what it runs on, with versions."""

    words: tuple[str, ...]
    runs_on: str


def prepare(client: Client, notify: Notify) -> Program:
    """The client's program, built where it has to be; ``notify`` hears what takes long.

    Raises Unavailable.
    """
    match client.toolchain:
        case "python":
            return _python(client, f"redis-py {importlib.metadata.version('redis')}")
        case "redis-cli":
            _require("redis-cli", _NEEDS_REDIS_CLI)
            version = _output(["redis-cli", "--version"], _NEEDS_REDIS_CLI)
            return Program((sys.executable, "-m", *client.program), version)
        case "node":
            return _node(client, notify)
        case "go":
            return _go(client, notify)


def _python(client: Client, library: str) -> Program:
    words = (sys.executable, "-m", *client.program)
    return Program(words, f"Python {platform.python_version()}, {library}")


def _node(client: Client, notify: Notify) -> Program:
    _require("node", _NEEDS_NODE)
    _require("npm", _NEEDS_NODE)
    version = _output(["node", "--version"], _NEEDS_NODE).removeprefix("v")
    if not version.partition(".")[0].isdigit() or int(version.partition(".")[0]) < _LEAST_NODE:
        raise Unavailable(f"{_NEEDS_NODE} (found {version})")

    def build(folder: Path) -> None:
        notify("fetching the Node.js clients' libraries, once: npm ci")
        words = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]
        _run(words, folder)

    folder = _built("node", version, build)
    lock = json.loads((folder / "package-lock.json").read_text())
    ioredis = lock["packages"]["node_modules/ioredis"]["version"]
    words = ("node", str(folder / "client.js"), *client.program)
    return Program(words, f"Node.js {version}, ioredis {ioredis}")


def _go(client: Client, notify: Notify) -> Program:
    module = (_SOURCES / "go" / "go.mod").read_text()
    needs = f"needs Go {_of_module(module, 'go')} or newer: apt-get install golang-go"
    _require("go", needs)
    version = _output(["go", "env", "GOVERSION"], needs)

    def build(folder: Path) -> None:
        notify("building the Go clients, once: go build")
        _run(["go", "build", "-trimpath", "-o", "client", "."], folder)

    folder = _built("go", version, build)
    runs_on = (
        f"Go {version.removeprefix('go')}, {client.library.split('/')[1]} "
        f"{_of_module(module, f'github.com/{client.library}')}"
    )
    return Program((str(folder / "client"), *client.program), runs_on)


def _of_module(module: str, name: str) -> str:
    """The version that a ``go.mod`` gives a name."""
    found = re.search(rf"^\s*(?:require )?{re.escape(name)} v?([\d.]+)", module, re.MULTILINE)
    return found[1] if found else ""


def _require(tool: str, needs: str) -> None:
    if shutil.which(tool) is None:
        raise Unavailable(needs)


def _output(words: list[str], needs: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        raise Unavailable(f"{needs} ({words[0]} is there but does not run)") from None
    return done.stdout.strip()


def _built(kind: str, version: str, build: Callable[[Path], None]) -> Path:
    """The folder with what was built of these sources by that version of the tool."""
    sources = _SOURCES / kind
    try:
        cache = _cache()
        place = cache / f"{kind}-{_digest(sources, version)}"
        if place.is_dir():
            return place
        cache.mkdir(parents=True, exist_ok=True)
        # Beside its place, and renamed when it is whole: another process may be doing the same.
        with tempfile.TemporaryDirectory(dir=cache, prefix=f".{kind}-") as temporary:
            folder = Path(temporary) / kind
            shutil.copytree(sources, folder, ignore=shutil.ignore_patterns("node_modules"))
            build(folder)
            try:
                folder.rename(place)
            except OSError:
                if not place.is_dir():
                    raise
    except OSError as error:
        where = error.filename or _cache()
        raise Unavailable(f"cannot be built: {where}: {error.strerror or error}") from None
    return place


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "runqy-bench" / "clients"


def _digest(sources: Path, version: str) -> str:
    digest = hashlib.sha256(f"{version} {platform.system()} {platform.machine()}".encode())
    for path in sorted(sources.iterdir()):
        if path.is_file():
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _run(words: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        told = " ".join(words[:2])
        raise Unavailable(f"{told} was not done within {_TIMEOUT_S // 60} minutes") from None
    except subprocess.CalledProcessError as error:
        told = " ".join(words[:2])
        raise Unavailable(f"{told} failed: {_reason(error.stderr or error.stdout)}") from None


def _reason(said: str) -> str:
    """The last line; of npm, which adds its stack and advice to it, the first that says something.

    ``npm error code ECONNREFUSED`` and the like are followed by the same in words.
    """
    said = hide(said)  # npm and Go quote the URLs of registries
    told = [line[1] for line in _NPM_LINE.finditer(said) if not line[1].startswith(_NPM_CODES)]
    lines = told[:1] or [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
