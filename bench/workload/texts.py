"""Fields of a scenario whose text has a form of its own: layouts, commands, objectives, guards."""

import shlex

from bench.errors import UsageError, quoted
from bench.layouts import registry
from bench.secrets import URL_VARIABLE, hide, quotes_password
from bench.workload.guards import NO_DEFAULT, parse_guard
from bench.workload.metrics import parse_objective
from bench.workload.until import parse_target
from bench.workload.value_type import ValueType, any_of, one_of, require_list, require_text


def _layout(written: object) -> str:
    if isinstance(written, str) and registry.find(written) is not None:
        return written
    return str(one_of(registry.names()).read(written))


LAYOUT = ValueType(
    _layout,
    any_of({"enum": registry.names()}, {"type": "string"}),
    placeholder="|".join(registry.names()),
    choices=tuple(registry.names()),
)
"""The name of a built-in layout, or of one that another package declares."""


def _command(written: object) -> str:
    text = require_text(written)
    if "\0" in text:
        raise UsageError("the command holds a NUL, which ends an argument: remove it")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{quoted(hide(text))} cannot be split into words: {error}") from None
    if not words:
        raise UsageError("the command is empty")
    if quotes_password(text):
        raise UsageError(
            "records and process lists would show the password of the URL: remove it; the worker "
            f"finds the server's complete URL in the environment variable {URL_VARIABLE}"
        )
    return text


COMMAND = ValueType(_command, {"type": "string", "minLength": 1}, placeholder="COMMAND")


def _objectives(written: object) -> tuple[str, ...]:
    expressions = [written] if isinstance(written, str) else require_list(written)
    return tuple(parse_objective(require_text(expression)).expression for expression in expressions)


def _separated(text: str) -> object:
    return [each.strip() for each in text.split(";") if each.strip()]


OBJECTIVES = ValueType(
    _objectives,
    any_of({"type": "array", "items": {"type": "string"}}, {"type": "string"}),
    list,
    flag=list[str],
    from_option=_separated,
    placeholder="OBJECTIVE",
)


def _guards(written: object) -> tuple[str, ...]:
    texts = [written] if isinstance(written, str) else require_list(written)
    stripped = [require_text(text).strip() for text in texts]
    return tuple(text if text == NO_DEFAULT else parse_guard(text).expression for text in stripped)


GUARDS = ValueType(
    _guards,
    any_of({"type": "array", "items": {"type": "string"}}, {"type": "string"}),
    list,
    flag=list[str],
    from_option=_separated,
    placeholder="GUARD",
)


def _targets(written: object) -> tuple[str, ...]:
    texts = [written] if isinstance(written, str) else require_list(written)
    found = tuple(parse_target(require_text(text)) for text in texts)
    for number, each in enumerate(found):
        if any(each.metric == other.metric for other in found[:number]):
            raise UsageError(f"{each.metric.name} is there twice: remove one of the two")
    return tuple(each.expression for each in found)


TARGETS = ValueType(
    _targets,
    any_of({"type": "array", "items": {"type": "string"}}, {"type": "string"}),
    list,
    flag=list[str],
    from_option=_separated,
    placeholder="PRECISION",
)
