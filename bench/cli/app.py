"""``bench``: all commands, and the one place where errors become lines and exit codes."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence

import cyclopts

from bench.cli import command_line
from bench.errors import BenchError, ExitCode
from bench.version import __version__

app = cyclopts.App(
    name="bench",
    help="Load testing for Redis task queues, with figures that can be believed.",
    help_epilogue="Exit codes: 0 passed, 1 regression, 2 usage, 3 inconclusive, 4 invalid "
    "measurement, 5 objective missed, 6 no server, 130 interrupted.",
    version=__version__,
    default_parameter=cyclopts.Parameter(negative=()),
)
# By name, so that a run does not load what comparisons need; the first line of each function's
# docstring stands here again, for the list of commands.
for _name, _function, _help in (
    ("run", "run:run", "Enqueue at a rate, serve, measure, and save a record."),
    ("worker", "worker:worker", "Serve all sub-queues of a parent queue until told to stop."),
    ("report", "report:report", "Show any records again: at the terminal, or as a page."),
    ("compare", "compare:compare_records", "Compare runs with runs: BASE... -- CANDIDATE..."),
    ("ab", "ab:ab", "Hold two ways to run a scenario against each other, and decide."),
    ("capacity", "capacity:capacity", "Find the highest rate that holds, by number of workers."),
    ("plan", "plan:plan", "Say what a rate takes, from a capacity record alone."),
    ("clients", "clients:clients", "Hold the ways to enqueue against each other, key by key."),
    ("history", "history:history", "Show how a figure moved over many runs, and where it changed."),
    ("export", "records:export", "Print a record's data in a format that other tools read."),
    ("scenarios", "records:scenarios", "List the built-in scenarios, or print one as TOML."),
    ("clean", "records:clean", "Remove what a run with --keep left on a server, by id."),
    ("verify", "verify:verify", "Look whether what is in a server's queues follows the layout."),
    ("enqueue", "tasks:enqueue", "Enqueue one task and print its id."),
    ("status", "tasks:status", "Print a task's fields and state as JSON."),
    ("result", "tasks:result", "Wait for a task's result and print it as JSON."),
):
    # In 'compare' two dashes stand between base and candidate, and end no options.
    _delimiter = "" if _name == "compare" else None
    app.command(
        f"bench.cli.{_function}", name=_name, help=_help, end_of_options_delimiter=_delimiter
    )


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
