"""A case: one invocation of ``bench``, with files that are valid examples and edits of them."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.fuzz import examples

SERVER_URL = "{server}"
"""What stands for the URL of the case's server in arguments and variables."""
CANARY = "k4n4r1en-v0g3l"
"""The password in every URL: it may appear nowhere."""

Pieces = list[tuple[str, int]]
"""A text as pieces of Latin-1, each with how often it is repeated."""


def once(text: str) -> Pieces:
    """The text as a single piece."""
    return [(text, 1)]


def joined(pieces: Pieces) -> str:
    """The whole text."""
    return "".join(text * times for text, times in pieces)


class Edit(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of an example.

    With ``at``, the value of that path in the example's tree is replaced by ``write``, which is
    JSON or TOML as the file is and need not be valid; None removes it. Without ``at``,
    ``write`` replaces ``remove`` characters of the finished text from ``offset`` on.
    """

    at: tuple[str | int, ...] = ()
    write: Pieces | None = None
    offset: int = 0
    remove: int = 0


class CaseFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file in the case's folder: the example of that name (none for an empty file), edited."""

    example: str = ""
    edits: tuple[Edit, ...] = ()


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a hostile server does instead of answering a command as a real one would.

    The ``nth`` command (from 0) whose name is ``command`` (any if empty) on a connection is
    answered with ``text``; ``again`` says whether all later ones are, too. ``then`` is what
    follows: ``go on``, ``close``, ``silence``, or ``trickle`` (the text byte by byte).
    """

    text: Pieces = []
    command: str = ""
    nth: int = 0
    again: bool = False
    then: str = "go on"


class Case(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One invocation. ``name`` and ``why`` are for people; ``codes`` are the right exit codes, with
    0 where measuring may begin, and any of the documented ones if empty."""

    kind: str
    name: str = ""
    why: str = ""
    arguments: tuple[str, ...] = ()
    files: dict[str, CaseFile] = {}
    variables: dict[str, str] = {}
    server: tuple[Reply, ...] | None = None
    """The replies of a hostile server; None for a real one."""
    message: Pieces = []
    """For cases of messages: the bytes that a process, a client or a worker sends."""
    codes: tuple[int, ...] = ()
    measures: bool = False
    """Whether a command that would measure is let do so; else it ends where the measuring began."""


def content_of(file: CaseFile) -> bytes:
    """The bytes of a file. A path that an edit cannot follow, as another edit removed it, is none.

    What is beyond Latin-1 in an example is written as UTF-8; pieces are bytes.
    """
    text = _edited(file)
    for edit in file.edits:
        if not edit.at:
            insert = joined(edit.write or [])
            text = text[: edit.offset] + insert + text[edit.offset + edit.remove :]
    return text.encode("latin-1")


def _edited(file: CaseFile) -> str:
    """The example with the edits of its tree, as Latin-1 text that stands for its bytes."""
    tree = examples.tree(file.example)
    if tree is None:
        return ""
    tree, literals = copy.deepcopy(tree), []
    for edit in file.edits:
        if edit.at:
            literals.append(joined(edit.write) if edit.write is not None else "")
            mark = None if edit.write is None else f"@@{len(literals) - 1}@@"
            _put(tree, edit.at, mark)
    if file.example.startswith("scenario:"):
        text = "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in tree.items())
    else:
        text = json.dumps(tree, indent=1)
    text = text.encode().decode("latin-1")
    for number, literal in enumerate(literals):
        text = text.replace(f'"@@{number}@@"', literal)
    return text


def _put(tree: Any, path: Sequence[str | int], value: str | None) -> None:
    for part in path[:-1]:
        try:
            tree = tree[part]
        except (LookupError, TypeError):
            return
    last = path[-1]
    if isinstance(tree, dict):
        if value is None:
            tree.pop(last, None)
        else:
            tree[last] = value
    elif isinstance(tree, list) and isinstance(last, int) and tree:
        if value is None:
            tree.pop(last % len(tree))
        else:
            tree[last % len(tree)] = value


def _key(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _toml(value: object) -> str:
    """A value as TOML; JSON writes texts, numbers and lists in the same way."""
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(str(key))} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
