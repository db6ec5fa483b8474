"""Cases of scenarios: built-in ones whose fields, or whose file's bytes, were changed."""

import random

from bench.workload.fields import FIELDS
from tests.fuzz import examples, nasty
from tests.fuzz.cases import Case, CaseFile, Edit, once

_COMMANDS = (
    ("run", "scenario.toml"),
    ("run", "scenario.toml", "--tasks", "20"),
    ("ab", "scenario.toml", "--b", "--prefetch 4"),
    ("capacity", "scenario.toml"),
)
_UNKNOWN = ("queuess", "", "Rate", "rate_per_s", "\x1b[31m", "a.b")


def generate(random_: random.Random) -> Case:
    """A scenario with one to three changes."""
    name = random_.choice(examples.scenario_names())
    edits = [_edit(random_) for _ in range(random_.choice((1, 1, 1, 2, 3)))]
    if random_.random() < 0.08:
        edits.append(_byte_edit(random_))
    command = random_.choices(_COMMANDS, (6, 2, 1, 1))[0]
    return Case(
        kind="scenarios",
        arguments=command,
        files={"scenario.toml": CaseFile(name, tuple(edits))},
    )


def _edit(random_: random.Random) -> Edit:
    name = random_.choice(list(FIELDS)) if random_.random() < 0.97 else random_.choice(_UNKNOWN)
    if random_.random() < 0.1:
        return Edit(at=(name,))
    field = FIELDS.get(name)
    example = None if field is None else field.example or field.default_written
    return Edit(at=(name,), write=nasty.toml_value(random_, example))


def _byte_edit(random_: random.Random) -> Edit:
    text = random_.choice(("\xff", "\x00", "\xef\xbb\xbf", "\r", "=", "[x]\n", '"', "\x1b[31m"))
    return Edit(
        offset=random_.choice((0, 0, random_.randrange(300))),
        remove=random_.choice((0, 1, 20, 10_000)),
        write=once(text),
    )
