"""``bench``: its commands, and the one place where errors become messages and exit codes."""

import gc
import importlib
import inspect
import os
import re
import signal
import sys
from collections.abc import Sequence

import cyclopts
from cyclopts.argument import ArgumentCollection

from bench import result_files, settings
from bench.cli import command_line
from bench.cli import help as helps
from bench.cli.arguments import require_complete, with_values
from bench.cli.messages import notify
from bench.errors import BenchError, ExitCode, with_notes
from bench.inert import visible
from bench.processes.signals import ending_signals
from bench.reports.streams import unfailing
from bench.reports.unforeseen import translated
from bench.version import __version__


def _shown_default(value: object) -> object:
    """Returns a flag's default for its help; None hides one that goes without saying."""
    return None if value in (None, False, "") else value


def _apply_settings(app: object, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    command_line.remember_settings({})
    if not settings.may_apply(settings.working_folder(), os.environ):
        return
    from bench.cli import applied_settings  # noqa: PLC0415 - it loads the fields of a scenario

    applied_settings.apply(app, commands, arguments)


app = cyclopts.App(
    name="bench",
    help=f"{helps.SUMMARY}\n\n{helps.CONCEPTS}",
    help_epilogue=f"{helps.SETTINGS}\n\n{helps.EXIT_CODES}",
    usage="Usage: bench COMMAND [FLAGS]",
    config=(_apply_settings,),
    version=__version__,
    version_flags=("--version", "-V"),
    group_commands=cyclopts.Group("Help", sort_key=len(helps.SECTIONS) + 1),
    help_format="plaintext",  # the others load a parser of markup
    suppress_keyboard_interrupt=False,  # it would end the process without a word
    default_parameter=cyclopts.Parameter(negative=(), show_default=_shown_default),
)
# Functions are given by name so that a run does not load what comparisons need. For the list of
# commands, the first line of each function's docstring is therefore repeated here.
COMMANDS = {
    "run": ("run:run", "Enqueue tasks at a rate, serve them, measure, and save a record."),
    "worker": ("worker:worker", "Serve all sub-queues of a parent queue until stopped."),
    "report": ("report:report", "Show records in the terminal, or as an HTML page with --html."),
    "compare": ("compare:compare_records", "Compare two sets of runs: BASE... -- CANDIDATE..."),
    "ab": ("ab:ab", "Compare two ways to run a scenario, and decide if one is worse."),
    "capacity": (
        "capacity:capacity",
        "Find the highest rate that meets all objectives, for each number of workers.",
    ),
    "sweep": (
        "sweep:sweep",
        "Run a scenario at several rates or settings, and show latency against load.",
    ),
    "chaos": (
        "chaos:chaos",
        "Make a set of faults, each in a run of its own, and show what each one costs.",
    ),
    "selftest": (
        "selftest:selftest",
        "Plant known delays, losses and doubles on this machine, and show what is measured of "
        "them.",
    ),
    "plan": ("plan:plan", "Size workers and servers for a rate, from a capacity record."),
    "clients": ("clients:clients", "Compare ways to enqueue, and check the keys that they write."),
    "history": (
        "history:history",
        "Show how a metric changed over many runs, and where it changed permanently.",
    ),
    "export": ("export:export", "Print a record's data in a format that other tools read."),
    "init": (
        "init:init",
        "Write a scenario that is like your own queue.",
    ),
    "scenarios": (
        "scenarios:scenarios",
        "List the built-in scenarios, or print one as TOML, to copy and change.",
    ),
    "schema": ("schema:schema", "Print the JSON Schema of a scenario or of a record."),
    "clean": ("clean:clean", "Remove what a run with --keep left on a server."),
    "verify": ("verify:verify", "Check whether a server's queues follow their layout."),
    "acl": ("acl:acl", "Print the rights that a command needs, as a line for the server."),
    "completion": ("completion:completion", "Print a script that completes flags in a shell."),
    "enqueue": ("tasks:enqueue", "Enqueue one task and print its id."),
    "status": ("tasks:status", "Print a task's fields and state as JSON."),
    "result": ("tasks:result", "Wait for a task's result and print it as JSON."),
}
"""The function and the description of each command."""
_DECIDING = frozenset(
    {
        "run",
        "worker",
        "compare",
        "ab",
        "capacity",
        "sweep",
        "chaos",
        "clients",
        "clean",
        "verify",
        "selftest",
    }
)
"""Commands that have done their work whether or not it can be shown. The others only print."""
_HELP_FLAGS = frozenset({"--help", "-h"})

_SECTIONS = {
    heading: cyclopts.Group(heading, sort_key=key) for key, heading in enumerate(helps.SECTIONS, 1)
}
for _name, (_function, _help) in COMMANDS.items():
    # In 'compare', two dashes separate base and candidate; they do not end the options.
    _delimiter = "" if _name == "compare" else None
    _heading, _place = helps.section_of(_name)
    app.command(
        f"bench.cli.{_function}",
        name=_name,
        help=_help,
        group=_SECTIONS[_heading],
        sort_key=_place,
        usage=f"Usage: bench {_name} {helps.USAGE.get(_name, '[FLAGS]')}",
        end_of_options_delimiter=_delimiter,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    ``arguments`` are those of the process by default. An error is one line on standard error.
    Output that cannot be written ends no command; a full disk, but not a reader that has gone, is
    a failure of those that only print.
    """
    for number in ending_signals():
        signal.signal(number, _as_interrupt)
    tokens = sys.argv[1:] if arguments is None else list(arguments)
    command_line.remember(tokens)
    result_files.use(None)
    with unfailing() as (output, _):
        try:
            code = _code_of(tokens)
        finally:
            result_files.release()
        output.flush()
        if output.failure is None or isinstance(output.failure, BrokenPipeError):
            return code
        notify(f"standard output cannot be written: {output.failure.strerror}")
        is_lost = code == ExitCode.PASSED and not _DECIDING.intersection(tokens[:1])
        return ExitCode.USAGE if is_lost else code


def _code_of(tokens: Sequence[str]) -> int:
    try:
        _load(tokens)
        _use_docstring_for_help(tokens)
        require_complete(tokens)
        outcome = app(
            with_values(tokens),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
    except cyclopts.CycloptsError as error:
        from bench.cli.refusals import refusal  # noqa: PLC0415 - only an error needs it

        command = tokens[0] if tokens and tokens[0] in COMMANDS else None
        return _fail(refusal(error, command, list(COMMANDS)), ExitCode.USAGE)
    except BenchError as error:
        return _fail(with_notes(str(error), error), error.exit_code)
    except KeyboardInterrupt as interrupt:
        return _fail(with_notes("interrupted", interrupt), ExitCode.INTERRUPTED)
    except Exception as error:
        if _stems_from_interrupt(error):
            return _fail(with_notes("interrupted", error), ExitCode.INTERRUPTED)
        fault = translated(error, command_line.known_secrets())
        return _fail(with_notes(str(fault), error), fault.exit_code)
    return int(outcome) if isinstance(outcome, int) else ExitCode.PASSED


def _load(tokens: Sequence[str]) -> None:
    """Import the command's module, and collect garbage from then on if that was put off so far."""
    if tokens and tokens[0] in COMMANDS:
        module, _, _ = COMMANDS[tokens[0]][0].partition(":")
        importlib.import_module(f"bench.cli.{module}")
    if not gc.isenabled():
        gc.freeze()  # modules stay: no collection needs to look through them
        gc.enable()


def _use_docstring_for_help(tokens: Sequence[str]) -> None:
    """Let a command's own help show its whole docstring, not only the line of the list."""
    if tokens and tokens[0] in COMMANDS and not _HELP_FLAGS.isdisjoint(tokens[1:]):
        module, _, function = COMMANDS[tokens[0]][0].partition(":")
        docstring = getattr(sys.modules[f"bench.cli.{module}"], function).__doc__
        description, _, _ = inspect.cleandoc(docstring).partition("\n\nParameters\n")
        # Lines end where the terminal's do.
        app[tokens[0]].help = re.sub(r"(?<!\n)\n(?!\n)", " ", description)
        app[tokens[0]].help_epilogue = helps.epilogue(tokens[0])


def _stems_from_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: Python wraps it where a class is being made."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _fail(message: str, code: ExitCode) -> int:
    notify(visible(message))
    return code


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
