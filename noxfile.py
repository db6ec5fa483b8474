"""The project's tasks: ``nox --list`` shows them, ``nox`` runs those that every change must pass.

Tasks run in the environment that nox itself is installed in (``.venv``), so that none installs
anything; ``matrix`` and ``wheel`` make environments of their own.
"""

import re
import sys
from pathlib import Path

import nox

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
"""Versions that are supported; those that a machine lacks are skipped."""

PYTEST = ["-m", "pytest", "--quiet", "--numprocesses", "3", "--dist", "worksteal"]
"""Three processes keep two cores busy, since many tests wait for a run to end."""
SITE = Path("site")
_LOADED = re.compile(
    r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*\brel=["']?"""
    r"""(?:stylesheet|preload|preconnect|icon)\b[^>]*\bhref=["']?(?:https?:)?//"""
)
"""What a browser would fetch from another host by opening a page."""

nox.options.sessions = ["lint", "types", "quick", "docs"]
nox.options.error_on_missing_interpreters = False
nox.options.default_venv_backend = "venv"
nox.needs_version = ">=2025.11.12"


def _python(session: nox.Session, *arguments: str) -> None:
    session.run(sys.executable, *arguments, external=True)


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Check style and formatting with ruff."""
    _python(session, "-m", "ruff", "check", ".")
    _python(session, "-m", "ruff", "format", "--check", ".")


@nox.session(python=False)
def types(session: nox.Session) -> None:
    """Check types with mypy, strictly."""
    _python(session, "-m", "mypy")


@nox.session(python=False)
def quick(session: nox.Session) -> None:
    """Run the tests that take no processes and no time: ``-m "not slow"``."""
    arguments = [*PYTEST, "-m", "not slow"]
    _python(session, *arguments, *session.posargs)


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Run all tests."""
    _python(session, *PYTEST, *session.posargs)


@nox.session(python=False)
def docs(session: nox.Session) -> None:
    """Build the site into ``site/``; a dead link or anchor is an error."""
    _python(session, "-m", "zensical", "build", "--clean", "--strict")
    foreign = [
        str(page) for page in SITE.rglob("*.html") if _LOADED.search(page.read_text("utf-8"))
    ]
    if foreign:
        session.error(f"pages load something from another host: {', '.join(sorted(foreign))}")


@nox.session(python=False)
def renew(session: nox.Session) -> None:
    """Rewrite golden files and the generated tables of the documentation."""
    _python(session, "-m", "tests.renew")


@nox.session(python=False)
def benchmarks(session: nox.Session) -> None:
    """Measure the project's own speed; arguments after ``--`` are passed on."""
    _python(session, "-m", "tests.benchmarks", *session.posargs)


@nox.session(python=False)
def fuzz(session: nox.Session) -> None:
    """Run many fuzzed inputs; arguments after ``--`` are passed on (see CONTRIBUTING.md)."""
    _python(session, "-m", "tests.fuzz", *session.posargs)


@nox.session(python=False)
def lock(session: nox.Session) -> None:
    """Resolve the newest dependencies into both lock files; ``-- -P NAME`` updates one alone."""
    command = ["uv", "pip", "compile", "pyproject.toml", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-annotate", "--no-emit-index-url", "--quiet"]
    command += ["--custom-compile-command", "nox -s lock"]
    renewing = session.posargs or ["--upgrade"]
    # The image installs a part of what the tests have run with, so the larger file comes first.
    _python(session, "-m", *command, *renewing, "--extra", "dev", "-o", "requirements-dev.lock")
    subset = ["--constraint", "requirements-dev.lock", "--extra", "backend"]
    subset += ["-o", "requirements.lock"]
    _python(session, "-m", *command, "--upgrade", *subset)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it into an empty environment, and make a run there."""
    folder = Path(session.create_tmp()).resolve()
    _python(session, "-m", "build", "--quiet", "--wheel", "--outdir", str(folder), ".")
    newest = max(folder.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    session.install("--no-compile", str(newest))
    record = str(folder / "record.json")
    session.chdir(folder)
    # 4 is an honest answer on a busy machine: the run took place, and must not be quoted.
    session.env["HOME"] = str(folder)
    session.run("bench", "run", "smoke", "--output", record, success_codes=[0, 4])
    printed = session.run("bench", "report", record, "--json", silent=True)
    if '"completed": 5000' not in str(printed):
        session.error("the run from the wheel did not complete its 5,000 tasks")


@nox.session(python=PYTHONS)
def matrix(session: nox.Session) -> None:
    """Run the quick tests on every supported Python that this machine has."""
    session.install("--no-compile", "--require-hashes", "-r", "requirements-dev.lock")
    session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    session.run("python", "-m", "pytest", "--quiet", "-m", "not slow", *session.posargs)
