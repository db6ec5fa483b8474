"""``python -m tests.environments``: the whole table. It takes some ten minutes.

python -m tests.environments [--commands run,ab] [--only "TERM,no home"]
"""

import argparse
import sys

from tests.environments.commands import COMMANDS
from tests.environments.ends import ENDS, PLACES
from tests.environments.trial import Outcome, try_end, try_place


def main() -> int:
    """Print a row for each trial; return 1 where any has a fault."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--commands", default="", help="names, separated by commas")
    parser.add_argument("--only", default="", help="ends and places, separated by commas")
    options = parser.parse_args()
    commands = [each for each in COMMANDS if _is_chosen(each.name, options.commands)]
    faulty = 0
    for command in commands:
        for end in ENDS:
            if _is_chosen(end.name, options.only):
                right = frozenset({-9}) if end.name == "KILL" else command.ended_codes
                faulty += _row(command.name, end.name, try_end(command, end), right)
        for place in PLACES:
            if _is_chosen(place.name, options.only):
                codes = set(command.codes)
                faulty += _row(
                    command.name, place.name, try_place(command, place), frozenset(codes)
                )
    return int(faulty > 0)


def _is_chosen(name: str, chosen: str) -> bool:
    return not chosen or name in chosen.split(",")


def _row(command: str, where: str, outcome: Outcome, codes: frozenset[int]) -> bool:
    faults = outcome.faults(codes)
    sys.stdout.write(
        f"{command:<20} {where:<24} {outcome.code!s:>5} {outcome.seconds:5.1f} s  "
        f"{', '.join(outcome.files) or '-':<20} {'; '.join(faults) or 'ok'}\n"
    )
    if faults:
        sys.stdout.write("".join(f"    {line}\n" for line in outcome.said.splitlines()[-4:]))
    sys.stdout.flush()
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
