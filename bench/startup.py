"""The first steps of the command line, before anything that takes time is imported."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Sequence

from bench.errors import MESSAGE_PREFIX, ExitCode
from bench.processes.signals import ending_signals
from bench.usage import limits_of_threads

_FORKS_NONE = frozenset({"--help", "-h", "--distributed"})


def main() -> int:
    """Run the command line."""
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    for number in ending_signals():
        if number is not signal.SIGINT or not is_ignored:
            signal.signal(number, _end_at_once)
    _spare_collecting()
    _prepare_descriptors()
    os.environ.update(limits_of_threads(os.environ))  # before numpy is imported
    if _begins_a_run(sys.argv[1:]):
        _prepare_processes()
    try:
        from bench.cli.app import main as run_cli  # noqa: PLC0415 - so that children start lean
    except Exception as error:
        return _not_started(error)
    try:
        if not is_ignored:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return run_cli()
    except KeyboardInterrupt:
        return _interrupted()


def _begins_a_run(tokens: Sequence[str]) -> bool:
    """Whether the command will fork processes, as far as its arguments tell."""
    return tokens[:1] == ["run"] and _FORKS_NONE.isdisjoint(tokens)


def _prepare_processes() -> None:
    """Let the imports of a run's processes begin now, beside those of the command itself."""
    from bench.processes import forked  # noqa: PLC0415 - other commands start no process
    from bench.run import process_modules  # noqa: PLC0415

    forked.prepare(process_modules.IMPORTED_FIRST)


def _spare_collecting() -> None:
    """Look for no garbage among what is imported: none is there, and it takes an eighth of the time
    until a command begins, and 60 ms of its end. ``bench.cli.app`` switches collecting on."""
    gc.disable()
    atexit.register(gc.freeze)


def _prepare_descriptors() -> None:
    """Leave none of the three standard descriptors closed, or not waiting for its reader.

    A closed one would become that of the next file or socket that is opened, and what is printed
    would go there. Sets no ``sys.stdout``: that nothing can be printed is still noticed.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
            os.set_inheritable(number, True)
        else:
            if number and not os.get_blocking(number):
                os.set_blocking(number, True)


def _not_started(error: Exception) -> int:
    from bench.inert import visible  # noqa: PLC0415 - rarely needed
    from bench.reports.unforeseen import translated  # noqa: PLC0415

    fault = translated(error)
    _say(visible(str(fault)))
    return fault.exit_code


def _interrupted() -> int:
    _say("interrupted")
    return ExitCode.INTERRUPTED


def _say(message: str) -> None:
    """Write a message where the command line, which otherwise does, may not have been loaded."""
    text = f"{MESSAGE_PREFIX}{message}\n".encode(errors="backslashreplace")
    try:
        os.write(2, text)
    except OSError:
        return  # nobody reads it


def _end_at_once(_number: int, _frame: object) -> None:
    """End before anything was started: an exception would surface in the middle of an import."""
    os._exit(_interrupted())
