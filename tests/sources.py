"""The project's own text, taken apart for the tests that read it: names, prose, definitions."""

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

CODE = ("bench", "locustfiles", "installed")
"""Folders whose Python is read."""

_GENERATED = "_pb2"
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")
_NAME = re.compile(r"[A-Za-z_]\w*")
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"`[^`\n]+`")


@dataclass(frozen=True)
class Text:
    """Something that stands in a file: a name, or a passage of prose, and its first line."""

    path: str
    line: int
    text: str


@functools.cache
def python_files() -> Sequence[Path]:
    """Every Python file of the project that a person wrote, tests excepted."""
    found = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if _GENERATED not in path.name)


@functools.cache
def pages() -> Sequence[Path]:
    """Every Markdown page: those of the documentation and those in the root."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def relative(path: Path) -> str:
    """A path from the repository's root."""
    return path.relative_to(ROOT).as_posix()


def name_parts(name: str) -> list[str]:
    """The words of an identifier in lower case: ``RollCall`` and ``roll_call`` have the same."""
    return [part.lower() for part in _PARTS.findall(name)]


@functools.cache
def names() -> Sequence[Text]:
    """Every identifier in the code, and every module's name, once a file."""
    found = []
    for path in python_files():
        seen: set[str] = set(name_parts(path.stem))
        found.append(Text(relative(path), 1, path.stem))
        for token in _tokens(path):
            if token.type == tokenize.NAME and token.string not in seen:
                seen.add(token.string)
                found.append(Text(relative(path), token.start[0], token.string))
    return found


@functools.cache
def prose() -> Sequence[Text]:
    """Every comment and string of the code, and the text of every page without its code."""
    return [
        *(text for path in python_files() for text in _python_prose(path)),
        *(text for path in pages() for text in _page_prose(path)),
    ]


def _python_prose(path: Path) -> Iterator[Text]:
    kinds = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in _tokens(path):
        if token.type in kinds:
            yield Text(relative(path), token.start[0], _one_line(token.string))


def _page_prose(path: Path) -> Iterator[Text]:
    text = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), path.read_text(encoding="utf-8"))
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", _CODE_SPAN.sub("``", text)):
        if paragraph.strip():
            yield Text(relative(path), line, _one_line(paragraph))
        line += paragraph.count("\n")


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n[\s#]*", " ", text)


def _tokens(path: Path) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)


@functools.cache
def definitions() -> Sequence[tuple[str, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every class and function of the code, nested ones included, with its file's path."""
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (relative(path), node)
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, kinds)
    ]
