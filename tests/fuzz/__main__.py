"""``python -m tests.fuzz``: run many cases, print what failed, and keep it if asked to."""

import argparse
import os
import sys
import time
from collections import defaultdict

import msgspec

from tests.fuzz import campaign, corpus
from tests.fuzz.campaign import KINDS, Failure
from tests.fuzz.cases import Case
from tests.fuzz.runner import Runner, running

_SHOWN = 3
"""Examples of each sort of failure."""


def main() -> int:
    """Run the cases that the arguments ask for. Returns 1 where any failed."""
    asked = _arguments()
    found: list[Failure] = []
    with running() as runner:
        for kind in asked.kinds or list(KINDS):
            found += _campaign(runner, kind, asked)
    by_sort: defaultdict[str, list[Failure]] = defaultdict(list)
    for failure in found:
        by_sort[f"{failure.case.kind}: {failure.sort}"].append(failure)
    for sort, failures in sorted(by_sort.items()):
        print(f"\n== {len(failures)} × {sort}")
        for failure in failures[:_SHOWN]:
            _show(failure)
        if asked.keep:
            print(f"   kept in {corpus.keep(failures[0])}")
    return 1 if found else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "kinds", nargs="*", choices=[*KINDS, []], metavar="kind", help=", ".join(KINDS)
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=1000, help="of each kind")
    parser.add_argument("--case", type=int, help="only the case of this number")
    parser.add_argument("--keep", action="store_true", help="write what failed into the corpus")
    parser.add_argument("--whole", action="store_true", help="do not look for smaller inputs")
    parser.add_argument("--new", action="store_true", help="leave out what is known (known.py)")
    parser.add_argument("--traceback", action="store_true", help="print the whole error output")
    return parser.parse_args()


def _campaign(runner: Runner, kind: str, asked: argparse.Namespace) -> list[Failure]:
    numbers = range(asked.cases) if asked.case is None else [asked.case]
    began_s, found = time.monotonic(), []
    for failure in campaign.failures(
        runner,
        kind,
        asked.seed,
        numbers,
        is_shrunk=not asked.whole,
        with_known=not asked.new,
    ):
        found.append(failure)
        if asked.traceback:
            print(failure.ending.err[-3000:])
    took_s = time.monotonic() - began_s
    print(f"{kind}: {len(numbers)} cases in {took_s:.0f} s, {len(found)} failed")
    sys.stdout.flush()
    return found


def _show(failure: Failure) -> None:
    print(f"   {failure.faults[0]}")
    print(f"   {_line(failure.case)}")
    kind = failure.case.kind
    print(f"   python -m tests.fuzz {kind} --seed {failure.seed} --case {failure.number}")


def _line(case: Case) -> str:
    """The case on one line, as the corpus has it, without files that are as their examples."""
    files = {name: file for name, file in case.files.items() if file.edits}
    text = corpus.as_json(msgspec.structs.replace(case, files=files))
    return text if len(text) < 600 else f"{text[:400]} … {text[-150:]}"


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    sys.exit(main())
