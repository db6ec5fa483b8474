"""Writes a draft as TOML, with a comment on each value; and reads it again to be sure. Pure."""

import json
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence

from bench import inert
from bench.errors import InternalError
from bench.survey.drafted import Draft
from bench.workload.fields import FIELDS
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

_WIDTH = 98
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def text_of(draft: Draft, schema_lines: str) -> str:
    """Returns the file of a drafted scenario.

    ``schema_lines`` come first. Raises ScenarioError where the fields contradict each other.
    """
    lines = [schema_lines.rstrip("\n"), *_comment(f"Made by 'bench init' {draft.headline}")]
    for note in draft.notes:
        lines += _comment(f"Note: {note}")
    for each in draft.fields:
        lines += ["", *_comment(FIELDS[each.name].declared.help), *_comment(each.origin)]
        lines += [f"{each.name} = {_value(each.value)}"]
    text = "\n".join(lines) + "\n"
    scenario_of(text)
    return text


def scenario_of(text: str) -> Scenario:
    """Returns the scenario in a drafted file. Raises ScenarioError."""
    try:
        return resolve({"name": "draft", **tomllib.loads(text)}, "scenario")
    except tomllib.TOMLDecodeError as error:
        raise InternalError(f"the drafted scenario is not TOML: {error}") from None


def _comment(text: str) -> Iterator[str]:
    shown = inert.line(text)
    yield from textwrap.wrap(
        shown, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(str(k))} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(_value, value))}]"
    return _string(value) if isinstance(value, str) else repr(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL, which no name or value has."""
    return json.dumps(text, ensure_ascii=False)
