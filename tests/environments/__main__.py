"""``python -m tests.environments``: the whole table. It takes some twenty minutes.

python -m tests.environments [--commands run,ab] [--only "TERM,no home"]
"""

import argparse
import sys
from collections.abc import Iterator

from tests.environments import mounts
from tests.environments.commands import COMMANDS, Command
from tests.environments.ends import ENDS
from tests.environments.places import PLACES, Place
from tests.environments.trial import Outcome, try_end, try_place

_KILLED = frozenset({-9})
_REFUSED = frozenset({2})
_INVALID = 4
_MORE_ATTEMPTS = 2


def main() -> int:
    """Print a row for each trial; return 1 where any has a fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", default="", help="names, separated by commas")
    parser.add_argument("--only", default="", help="ends and places, separated by commas")
    options = parser.parse_args()
    mounts.enter()
    faulty = 0
    for command in COMMANDS:
        if _is_chosen(command.name, options.commands):
            faulty += sum(_rows(command, options.only))
    return int(faulty > 0)


def _rows(command: Command, only: str) -> Iterator[bool]:
    """Print the rows of a command; yields whether each has a fault."""
    for end in ENDS:
        if _is_chosen(end.name, only):
            right = _KILLED if end.name == "KILL" else command.ended_codes
            yield _row(command.name, end.name, try_end(command, end), right)
    for place in PLACES:
        if not _is_chosen(place.name, only):
            continue
        if not place.is_possible:
            sys.stdout.write(f"{command.name:<20} {place.name:<24} not possible for this user\n")
            continue
        right = command.codes_in(place.name)
        if place.may_refuse:
            right |= _REFUSED
        yield _row(command.name, place.name, _tried(command, place, right), right)


def _tried(command: Command, place: Place, right: frozenset[int]) -> Outcome:
    """The outcome in a place; a measurement that is not valid is repeated, as on a busy machine."""
    for _ in range(_MORE_ATTEMPTS):
        outcome = try_place(command, place)
        if outcome.code != _INVALID or outcome.code in right:
            return outcome
    return try_place(command, place)


def _is_chosen(name: str, chosen: str) -> bool:
    return not chosen or name in chosen.split(",")


def _row(command: str, where: str, outcome: Outcome, codes: frozenset[int]) -> bool:
    faults = outcome.faults(codes)
    sys.stdout.write(
        f"{command:<20} {where:<24} {outcome.code!s:>5} {outcome.seconds:5.1f} s  "
        f"{outcome.record:<9} {', '.join(outcome.files) or '-':<20} {'; '.join(faults) or 'ok'}\n"
    )
    if faults:
        sys.stdout.write("".join(f"    {line}\n" for line in outcome.said.splitlines()[-4:]))
    sys.stdout.flush()
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
