"""The JSON Schema of what a scenario's TOML file may hold, from the fields' declarations."""

from bench.workload.fields import FIELDS, Field

_EMPTY: tuple[object, ...] = (None, "", [])


def scenario_schema() -> dict[str, object]:
    """Returns the schema, in draft 2020-12.

    It says what each field may be. Whether fields go together, and what needs the server or other
    files, ``resolve`` and the run find out.
    """
    return {
        "type": "object",
        "properties": {name: _property(field) for name, field in FIELDS.items()},
        "required": ["queues"],
        "anyOf": [
            {"required": ["rate"]},
            {"required": ["stages"]},
            {"required": ["arrivals"], "properties": {"arrivals": {"const": "max"}}},
        ],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, object]:
    notes: dict[str, object] = {"description": field.declared.help}
    if field.default_written not in _EMPTY and field.declared.without is None:
        notes["default"] = field.default_written
    if field.example is not None:
        notes["examples"] = [field.example]
    return {**notes, **field.declared.type.schema}
