"""Links and paths in the documentation lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sources import ROOT, pages, relative

ARCHITECTURE = ROOT / "docs" / "architecture.md"
QUESTIONS = 47

_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(r"`((?:bench|tests|docs|locustfiles)/[\w./-]+\.\w+)`")
_ROW = re.compile(r"^\| … ([^|]+) \| `([^`]+)` \|$", re.MULTILINE)


def text_of(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Where a page links to within the repository."""
    yield from (
        to for to in _LINK.findall(text_of(page)) if "://" not in to and "mailto:" not in to
    )


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get, in the site and where the repository is hosted."""
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(text_of(page))
    }


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    dead = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("page", pages(), ids=relative)
def test_every_file_of_the_project_that_a_page_names_exists(page: Path) -> None:
    named = _PATH.findall(text_of(page))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_page_can_be_reached_from_the_site_s_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    found = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert {page for page in found if f" {page}\n" not in navigation} == set()


def test_each_question_of_where_to_change_something_leads_to_one_file() -> None:
    answers = dict(_ROW.findall(ARCHITECTURE.read_text(encoding="utf-8")))
    assert len(answers) == QUESTIONS
    assert len(set(answers.values())) == QUESTIONS
    assert {path for path in answers.values() if not (ROOT / path).is_file()} == set()
