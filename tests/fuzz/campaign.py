"""Many cases of some kinds, and what failed of them, as small as it still fails."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from tests.fuzz import flags, messages, records, scenarios, servers
from tests.fuzz.cases import Case, CaseFile, Edit, Pieces, Reply
from tests.fuzz.ending import Ending, faults
from tests.fuzz.known import is_known
from tests.fuzz.runner import Runner

KINDS: dict[str, Callable[[random.Random], Case]] = {
    "scenarios": scenarios.generate,
    "flags": flags.generate,
    "records": records.generate,
    "servers": servers.generate,
    "messages": messages.generate,
}
_MOST_TRIES = 60
Part = TypeVar("Part")


@dataclass(frozen=True)
class Failure:
    """A case that failed: where it comes from, how it looks at its smallest, what is wrong."""

    seed: int
    number: int
    case: Case
    ending: Ending
    faults: Sequence[str]

    @property
    def sort(self) -> str:
        """What failures of one cause have in common: the fault without its figures."""
        return "".join(each for each in self.faults[0] if not each.isdigit())[:60]


def case_of(kind: str, seed: int, number: int) -> Case:
    """One case of a campaign; the same always."""
    return KINDS[kind](random.Random(f"{kind}/{seed}/{number}"))


def failures(
    runner: Runner,
    kind: str,
    seed: int,
    numbers: Sequence[int],
    *,
    is_shrunk: bool = True,
    with_known: bool = True,
) -> Iterator[Failure]:
    """Run cases, and yield those that failed, each as small as possible if ``is_shrunk``."""
    for number in numbers:
        case = case_of(kind, seed, number)
        ending = runner.run(case)
        found = faults(case, ending)
        if found and (with_known or not is_known(kind, found)):
            yield _smallest(runner, Failure(seed, number, case, ending, found), is_shrunk)


def _smallest(runner: Runner, failure: Failure, is_shrunk: bool) -> Failure:
    """The failure with what can be left out of its case left out."""
    tries = _MOST_TRIES if is_shrunk and failure.ending.how != "hung" else 0
    progress = True
    while progress and tries > 0:
        progress = False
        for smaller in _smaller(failure.case):
            tries -= 1
            ending = runner.run(smaller)
            found = faults(smaller, ending)
            shrunk = Failure(failure.seed, failure.number, smaller, ending, found or ("",))
            if found and shrunk.sort == failure.sort:
                failure, progress = shrunk, True
                break
            if tries <= 0:
                break
    return failure


def _smaller(case: Case) -> Iterator[Case]:
    """The case with one part less, or with a part made shorter."""
    for name, file in case.files.items():
        for edits in _fewer(file.edits):
            yield _with_file(case, name, CaseFile(file.example, tuple(edits)))
    for number in range(len(case.arguments) - 1, 0, -1):
        kept = case.arguments[:number] + case.arguments[number + 1 :]
        yield msgspec.structs.replace(case, arguments=kept)
    for name in case.variables:
        kept_variables = {key: value for key, value in case.variables.items() if key != name}
        yield msgspec.structs.replace(case, variables=kept_variables)
    for replies in _fewer(case.server or ()):
        if replies:
            yield msgspec.structs.replace(case, server=tuple(replies))
    yield from _shorter(case)


def _fewer(parts: Sequence[Part]) -> Iterator[list[Part]]:
    for number in range(len(parts)):
        yield [*parts[:number], *parts[number + 1 :]]


def _shorter(case: Case) -> Iterator[Case]:
    for name, file in case.files.items():
        for number, edit in enumerate(file.edits):
            for pieces in _shorter_pieces(edit.write or []):
                changed: Edit = msgspec.structs.replace(edit, write=pieces)
                edits = (*file.edits[:number], changed, *file.edits[number + 1 :])
                yield _with_file(case, name, CaseFile(file.example, edits))
    for number, reply in enumerate(case.server or ()):
        for pieces in _shorter_pieces(reply.text):
            changed_reply: Reply = msgspec.structs.replace(reply, text=pieces)
            server = case.server or ()
            replies = (*server[:number], changed_reply, *server[number + 1 :])
            yield msgspec.structs.replace(case, server=replies)
    for number, argument in enumerate(case.arguments):
        if len(argument) > 40:
            half = argument[: len(argument) // 2]
            arguments = (*case.arguments[:number], half, *case.arguments[number + 1 :])
            yield msgspec.structs.replace(case, arguments=arguments)


def _shorter_pieces(pieces: Pieces) -> Iterator[Pieces]:
    if any(times > 1 for _, times in pieces):
        yield [(text, max(times // 8, 1)) for text, times in pieces]
        yield [(text, max(times // 2, 1)) for text, times in pieces]


def _with_file(case: Case, name: str, file: CaseFile) -> Case:
    return msgspec.structs.replace(case, files={**case.files, name: file})
