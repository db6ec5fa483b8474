"""Every error that bench raises on purpose, and the exit code of each.

    BenchError
    ├── UsageError          the request cannot be carried out as written         2
    │   └── ScenarioError     a scenario has an unknown field or an impossible value
    ├── RecordError         a run record cannot be read, or is of another format 2
    ├── TaskNotFound        there is no task of that id                          2
    ├── NoResult            a task has no result, or none yet                    3
    ├── NothingToVerify     no queue holds a task that could be checked          3
    ├── ServerUnreachable   no server, or one that refuses the connection        6
    ├── MeasurementError    the run began but could not be measured              4
    ├── RunAborted          a guard (--abort) held                               7
    └── InternalError       a fault of this program                             70

A failed task is not an error: it is a sample. These are for a broken set-up. Each message is one
line that names the cause and then the cure.
"""

import errno
from collections.abc import Iterable
from enum import IntEnum
from typing import ClassVar

MESSAGE_PREFIX = "bench: "
"""What every message on standard error begins with."""


class ExitCode(IntEnum):
    """Exit codes of the ``bench`` command. Scripts rely on these numbers."""

    PASSED = 0
    """The run is valid, and every objective was met; or a comparison found nothing worse."""
    REGRESSION = 1
    """A comparison found a regression."""
    USAGE = 2
    """The request cannot be carried out as written, and nothing was sent; or what was measured
    could not be saved in its place; or ``bench enqueue`` could not print the id of the task that it
    has enqueued."""
    INCONCLUSIVE = 3
    """A comparison is inconclusive; or ``bench capacity`` ended before a sustained rate was proven,
    or that there is none; or ``bench plan`` finds no answer in the record; or ``bench result``
    found no result; or ``bench verify`` found no task; or ``bench clients`` could run none of the
    clients, or not one that ``--only`` names; or ``bench chaos`` could make none of its faults; or
    the budget of ``bench sweep`` ended before all of its trials were made; or the machine was too
    busy for ``bench selftest`` to tell one of its delays from none."""
    INVALID = 4
    """The measurement is not valid: its warnings say why, and the record is saved; or it could not
    begin, for example because a worker's command exited at once; or a run of ``bench chaos`` does
    not say what its fault does, or a fault was not made that was named; or no trial of
    ``bench sweep`` is valid; or ``bench verify`` found errors; or ``bench selftest`` measured
    something else than what was planted; or ``bench worker`` was told to stop and had to leave
    tasks on an active list."""
    SLO_MISSED = 5
    """The run is valid, but an objective was missed; or one of the runs of ``bench chaos`` missed
    it."""
    UNREACHABLE = 6
    """The server cannot be reached, or refuses the connection or a command; or a run that is valid
    and met its objectives could not remove all that it wrote."""
    ABORTED = 7
    """A guard (``--abort``) ended the run; what was measured is saved with the verdict ``aborted``.
    Or it held before the run, and nothing was sent."""
    INTERNAL = 70
    """A fault of ``bench`` itself, never a decision. The message names a file with the details,
    which only you can read and which holds no password."""
    INTERRUPTED = 130
    """The run was interrupted; what was measured is saved with the verdict ``incomplete``."""


class BenchError(Exception):
    """Base of all errors that are shown to the user as one line."""

    exit_code: ClassVar[ExitCode] = ExitCode.INVALID


class UsageError(BenchError):
    """The request cannot be carried out as written. Raised before anything is sent."""

    exit_code = ExitCode.USAGE


class ScenarioError(UsageError):
    """A scenario has an unknown field or an impossible value. The message names the field."""


class RecordError(BenchError):
    """A file is not a run record of a format that this version reads."""

    exit_code = ExitCode.USAGE


class TaskNotFound(BenchError):  # noqa: N818 - the name says what happened
    """There is no task of that id."""

    exit_code = ExitCode.USAGE


class NoResult(BenchError):  # noqa: N818 - the name says what happened
    """The task has ended without a result, or had none within the time given."""

    exit_code = ExitCode.INCONCLUSIVE


class NothingToVerify(BenchError):  # noqa: N818 - the name says what happened
    """There is no queue, or none that holds a task."""

    exit_code = ExitCode.INCONCLUSIVE


class ServerUnreachable(BenchError):  # noqa: N818 - the name says what happened
    """The server does not answer or refuses the connection. The message holds no password."""

    exit_code = ExitCode.UNREACHABLE


class MeasurementError(BenchError):
    """The run began but could not be measured to its end."""

    exit_code = ExitCode.INVALID


class RunAborted(BenchError):  # noqa: N818 - the name says what happened
    """A guard held, before a run or in one that others follow. The message names it."""

    exit_code = ExitCode.ABORTED


CAUSED_BY_INTERRUPT = (ServerUnreachable, MeasurementError)
"""Errors that Ctrl-C may cause. For a moment, a process that is being started still belongs to the
terminal's foreground group, and the signal ends it: a server, a worker, a client. Once the end was
asked for, they are an interrupt."""


class InternalError(BenchError):
    """A fault of this program. The message names the file that says where it occurred."""

    exit_code = ExitCode.INTERNAL


def nearest(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Returns ``: did you mean …?`` with the known name most similar to ``name``, or nothing.

    It ends a message that refuses an unknown name. ``cutoff`` is the least similarity, from 0 to 1.
    """
    import difflib  # noqa: PLC0415 - only the way to an error needs it, and every process loads this

    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return f": did you mean {matches[0]!r}?" if matches else ""


_MOST_QUOTED = 60


def quoted(written: object) -> str:
    """Returns a value as Python writes it, cut to a length that fits into a message of one line."""
    try:
        text = repr(written)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        return "what was written"
    return text if len(text) <= _MOST_QUOTED else f"{text[: _MOST_QUOTED - 1]}…"


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def of_full_disk(error: OSError) -> UsageError | None:
    """The error that is shown where a file could not be written for want of space, in whichever
    step; None for another error."""
    if error.errno not in _FULL:
        return None
    return UsageError(
        f"a file cannot be written: {error.strerror}: free space on the disk, or set TMPDIR to a "
        "folder with space"
    )


def error_for(exit_code: int, message: str) -> BenchError:
    """The error that a process of this project ended with, from its exit code and its message.

    MeasurementError for an exit code that stands for none of UsageError, ServerUnreachable,
    RunAborted and InternalError.
    """
    kinds: dict[int, type[BenchError]] = {
        ExitCode.USAGE: UsageError,
        ExitCode.UNREACHABLE: ServerUnreachable,
        ExitCode.ABORTED: RunAborted,
        ExitCode.INTERNAL: InternalError,
    }
    return kinds.get(exit_code, MeasurementError)(message)


def error_of_process(exit_code: int, printed: str, program: str) -> BenchError:
    """The error that a process ended with, from its exit code and what it printed as errors.

    The message is its last line that begins with ``bench: ``, else its last line. ``program`` is
    its name for a message if it printed nothing.
    """
    lines = printed.strip().splitlines()
    ours = [line for line in lines if line.startswith(MESSAGE_PREFIX)]
    nothing = f"{program} printed nothing and ended with exit code {exit_code}"
    last = [nothing, *lines, *ours][-1]
    return error_for(exit_code, last.removeprefix(MESSAGE_PREFIX))


def with_notes(message: str, error: BaseException) -> str:
    """A message, and in the same line what was noted about an error since it was raised."""
    return "; ".join([message, *getattr(error, "__notes__", ())])
