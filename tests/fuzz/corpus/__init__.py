"""Inputs that failed at some time: one file of cases for each kind, and those that still fail."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tests.fuzz.cases import Case

if TYPE_CHECKING:
    from tests.fuzz.campaign import Failure

FOLDER = Path(__file__).parent


def kinds() -> list[str]:
    """The kinds of which there are cases."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def cases(kind: str) -> list[Case]:
    """All cases of a kind."""
    path = FOLDER / f"{kind}.json"
    # Not msgspec's JSON: arguments may hold bytes that are not UTF-8, as lone surrogates.
    found = json.loads(path.read_bytes()) if path.exists() else []
    return msgspec.convert(found, list[Case])


def keep(failure: "Failure") -> str:
    """Add a failure's case to the file of its kind, under a name made from what is wrong."""
    kind = failure.case.kind
    name = re.sub(r"[^a-z0-9]+", "-", failure.sort.lower()).strip("-")[:50]
    known = {each.name for each in cases(kind)}
    unique, number = name, 2
    while unique in known:
        unique, number = f"{name}-{number}", number + 1
    made = msgspec.structs.replace(failure.case, name=unique, why=failure.faults[0][:200])
    write(kind, [*cases(kind), made])
    return f"tests/fuzz/corpus/{kind}.json as {unique!r}"


def write(kind: str, made: list[Case]) -> None:
    """Write all cases of a kind, one a line."""
    lines = ",\n".join(map(as_json, made))
    (FOLDER / f"{kind}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def as_json(case: Case) -> str:
    """A case on one line of ASCII, without files that are as their examples."""
    return json.dumps(msgspec.to_builtins(case))
