"""Which cores the parts of a run may use (``--pin``), as written and as planned; no I/O."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from bench.errors import UsageError, quoted

AUTOMATIC = "auto"
PARTS = ("server", "producers", "workers")
_EXAMPLE = "server=0,producers=1-2,workers=3"


@dataclass(frozen=True)
class Pinning:
    """The cores of each part of a run, by their numbers; a part without any may use all of them."""

    server: tuple[int, ...] = ()
    producers: tuple[int, ...] = ()
    workers: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """As a user writes it: ``server=0,producers=1-2,workers=3``; empty where nothing is."""
        parts = ((part, getattr(self, part)) for part in PARTS)
        return ",".join(f"{part}={ranges(cores)}" for part, cores in parts if cores)


@dataclass(frozen=True)
class PinnedParts:
    """How many processes each part of a run has that could be pinned."""

    server: int
    """One where the run starts its own server, else zero."""
    producers: int
    workers: int

    @property
    def total(self) -> int:
        """How many cores there must be for each process to have its own."""
        return self.server + self.producers + self.workers


def read(text: str, usable: Collection[int], parts: PinnedParts) -> Pinning:
    """Returns the cores that a text names, or with ``auto`` one of its own for each process.

    Raises UsageError for what cannot be read or is not there, and where there are too few cores.
    """
    if text == AUTOMATIC:
        return automatic(usable, parts)
    found: dict[str, list[int]] = {}
    part = ""
    for each in text.split(","):
        name, equals, cores = each.partition("=")
        if equals:
            part = _part_of(name.strip(), parts, found)
        elif not part:
            raise UsageError(f"{quoted(text)} names no part: write auto, or for example {_EXAMPLE}")
        found[part] += _cores(cores if equals else each, usable)
    return Pinning(**{name: tuple(dict.fromkeys(cores)) for name, cores in found.items()})


def automatic(usable: Collection[int], parts: PinnedParts) -> Pinning:
    """Returns a core of its own for each process, in the order of their numbers.

    Raises UsageError, which says how many are needed, where there are too few.
    """
    if len(usable) < parts.total:
        counts = ((part, getattr(parts, part)) for part in PARTS)
        who = ", ".join(
            "the server" if part == "server" else f"{count} {part if count > 1 else part[:-1]}"
            for part, count in counts
            if count
        )
        raise UsageError(
            f"{who} need {parts.total} cores of their own, and this process may use "
            f"{len(usable)} ({ranges(sorted(usable))}): use a machine with more, or say which part "
            f"uses which, as in --pin {_EXAMPLE}"
        )
    left = iter(sorted(usable))
    return Pinning(*(tuple(next(left) for _ in range(getattr(parts, part))) for part in PARTS))


def of_process(cores: Sequence[int], number: int, processes: int) -> tuple[int, ...]:
    """Returns the cores of one process of a part: one of its own where there are enough, else all
    of the part's."""
    if number < len(cores) and processes <= len(cores):
        return tuple(cores[number::processes])
    return tuple(cores)


def ranges(cores: Sequence[int]) -> str:
    """Returns ascending numbers as ``0-2,5``, and others as they are: ``4,2``."""
    return ",".join(_ranges(cores))


def _ranges(cores: Sequence[int]) -> Iterator[str]:
    for _, group in groupby(enumerate(cores), key=lambda each: each[1] - each[0]):
        run = [core for _, core in group]
        yield str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"


def _part_of(name: str, parts: PinnedParts, found: dict[str, list[int]]) -> str:
    """The part of that name, as a new one. Raises UsageError where it cannot be pinned."""
    if name not in PARTS:
        raise UsageError(f"{quoted(name)} is no part of a run: there are {', '.join(PARTS)}")
    if name in found:
        raise UsageError(f"{name} stands twice: write its cores as in workers=1-2,4")
    if not getattr(parts, name):
        raise UsageError(f"this run starts no {name.removesuffix('s')} of its own: remove {name}")
    found[name] = []
    return name


def _cores(text: str, usable: Collection[int]) -> list[int]:
    first, dash, last = (each.strip() for each in text.partition("-"))
    if not (_is_number(first) and (_is_number(last) if dash else not last)):
        raise UsageError(f"{quoted(text)} is no core: write numbers as in {_EXAMPLE}")
    if dash and int(last) < int(first):
        raise UsageError(f"{quoted(text)}: the first core of a range is the lower one")
    cores = list(range(int(first), int(last or first) + 1))
    missing = [core for core in cores if core not in usable]
    if missing:
        raise UsageError(
            f"core {missing[0]} cannot be used here: this process may use {ranges(sorted(usable))}"
        )
    return cores


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
