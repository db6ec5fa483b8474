"""``bench``: all commands, and the one place where errors become lines and exit codes."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence

import cyclopts

from bench.cli import command_line, records, run, tasks, worker
from bench.errors import BenchError, ExitCode
from bench.version import __version__

app = cyclopts.App(
    name="bench",
    help="Load testing for Redis task queues, with figures that can be believed.",
    version=__version__,
    default_parameter=cyclopts.Parameter(negative=()),
)
app.command(run.run)
app.command(worker.worker)
app.command(records.report)
app.command(records.export)
app.command(records.scenarios)
app.command(records.clean)
app.command(tasks.enqueue)
app.command(tasks.status)
app.command(tasks.result)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code. Errors are one line on standard error."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    command_line.remember(tokens)
    try:
        outcome = app(
            tokens,
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        return _complain(_usage_line(error), ExitCode.USAGE)
    except BenchError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted", ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output (head, a pager) has seen enough; nothing is left to be flushed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.PASSED
    except OSError as error:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _complain(f"input or output failed: {error.strerror or error}", ExitCode.USAGE)
    return int(outcome) if isinstance(outcome, int) else ExitCode.PASSED


def _complain(message: str, code: ExitCode) -> int:
    print(f"bench: {message}", file=sys.stderr)  # noqa: T201 - the one line an error gets
    return code


def _usage_line(error: cyclopts.CycloptsError) -> str:
    text = " ".join(str(error).split())
    return f"{text} (bench --help lists the commands and flags)"


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
