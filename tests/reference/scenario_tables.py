"""The reference of scenario fields: every one of a scenario as it is declared."""

from collections.abc import Iterator

from bench.workload.declaration import FieldGroup, FrontEnd
from bench.workload.fields import FIELDS, Field

_HEAD = "| field | default | example | meaning | also set by |\n|---|---|---|---|---|"
_NOTES = {
    None: "",
    "built-in": " Built-in workers only.",
    "external": " External workers only.",
}
_FRONT_ENDS = {FrontEnd.WORKER: "`bench worker`", FrontEnd.LOCUST: "Locust"}


def scenario_tables() -> str:
    """Return one Markdown table for each group of fields, under a heading."""
    return "\n\n".join(f"### {group.value}\n\n{_HEAD}\n{_rows(group)}" for group in FieldGroup)


def _rows(group: FieldGroup) -> str:
    fields = (field for field in FIELDS.values() if field.declared.group is group)
    return "\n".join(f"| {' | '.join(_cells(field))} |" for field in fields)


def _cells(field: Field) -> Iterator[str]:
    declared = field.declared
    yield f"`{field.name}`"
    yield declared.without or _code(_text(field.default_written))
    yield _code(declared.example or "")
    yield declared.help + _NOTES[declared.applies_to]
    also = [name for front_end, name in _FRONT_ENDS.items() if front_end in declared.also]
    yield ", ".join(also) or "–"


def _text(written: object) -> str:
    if isinstance(written, bool):
        return str(written).lower()
    if isinstance(written, float):
        return f"{written:g}"
    return "" if written in (None, []) else str(written)


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"
