"""The lock files pin what ``pyproject.toml`` asks for, by hash, and name no registry."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FILES = ["requirements.lock", "requirements-dev.lock"]

_PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def pinned(name: str) -> dict[str, set[str]]:
    """Package to the versions that a lock file holds of it, for one Python or another."""
    found: dict[str, set[str]] = {}
    for package, version in _PINNED.findall((ROOT / name).read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


def asked(*extras: str) -> list[Requirement]:
    """What the project requires, with the extras that are named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = list(project["dependencies"])
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return [each for text in texts if (each := Requirement(text)).name != project["name"]]


@pytest.mark.parametrize(("name", "extras"), [(FILES[0], ()), (FILES[1], ("test", "docs", "dev"))])
def test_every_requirement_is_pinned_to_a_version_that_it_allows(
    name: str, extras: tuple[str, ...]
) -> None:
    versions = pinned(name)
    wrong = {
        str(each)
        for each in asked(*extras)
        if not versions.get(canonicalize_name(each.name))
        or not all(each.specifier.contains(v) for v in versions[canonicalize_name(each.name)])
    }
    assert wrong == set(), "run 'nox -s lock'"


def test_the_image_installs_what_the_tests_have_run_with() -> None:
    image, tests = (pinned(name) for name in FILES)
    assert {
        name: found for name, found in image.items() if not found <= tests.get(name, set())
    } == {}


@pytest.mark.parametrize("name", FILES)
def test_every_pin_has_a_hash_and_no_address_stands_in_the_file(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", "\n".join(re.findall(r"^(?!#).*$", text, re.MULTILINE)))
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())
    assert "://" not in text
    assert "index" not in text
