"""The options that this project adds to Locust's command line and web page, in groups of their own.

The value of an option is text as written, or None: Locust sends options from the master to its
workers as plain JSON, and ``bench.locust.options`` reads them.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from bench.errors import UsageError
from bench.inert import visible
from bench.locust.options import BASE
from bench.secrets import URL_VARIABLE
from bench.workload import library
from bench.workload.declaration import FieldGroup, FrontEnd
from bench.workload.fields import Field, shown_by
from bench.workload.quantities import (
    DURATION,
    DURATION_OR_AUTO,
    DURATION_OR_ZERO,
    PAYLOAD_SIZE,
    RATE,
    SERVICE_TIME,
    SHARE,
)
from bench.workload.queue_weights import QUEUES
from bench.workload.rate_stages import STAGES
from bench.workload.texts import OBJECTIVES
from bench.workload.value_type import BOOLEAN, FILE_NAME, ValueType

_PLACEHOLDERS: Sequence[tuple[ValueType, str]] = (
    (DURATION, "<duration>"),
    (DURATION_OR_ZERO, "<duration>"),
    (DURATION_OR_AUTO, "<duration|auto>"),
    (RATE, "<rate|max>"),
    (SHARE, "<share>"),
    (PAYLOAD_SIZE, "<size>"),
    (SERVICE_TIME, "<duration>"),
    (QUEUES, "<queue=weight,...>"),
    (STAGES, "<duration@rate,...>"),
    (OBJECTIVES, "<objective;...>"),
    (FILE_NAME, "<filename>"),
)
"""What stands for the value of an option in the help, by the type of its field."""
_HEADINGS = {
    FieldGroup.LOAD: "Task queue: load",
    FieldGroup.WORKERS: "Task queue: workers of the test",
    FieldGroup.MEASUREMENT: "Task queue: measurement",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add this project's options to Locust's parser, in groups of their own.

    The web page, which anybody could start a test with, is for this machine alone unless
    ``--web-host`` says otherwise; by itself, Locust listens on all interfaces.
    """
    parser.set_defaults(web_host="127.0.0.1")
    _add_server_and_record(
        parser.add_argument_group(
            "Task queue: server and record",
            "Options of runqy-bench. Most of them, and all those below, can also be set in\n"
            "Locust's web page, which listens on 127.0.0.1 unless --web-host is given.",
        )
    )
    groups = {each: parser.add_argument_group(title) for each, title in _HEADINGS.items()}
    _add_shapes(groups[FieldGroup.LOAD])
    for field in shown_by(FrontEnd.LOCUST):
        _add(
            groups[field.declared.group],
            field.option,
            default=None,
            type=_checked(field),
            metavar=_placeholder(field),
            help=" ".join(_sentences(field)),
        )


def choices_of(field: Field) -> Sequence[str]:
    """Returns the texts that a field can have, where they are few; empty where they are not."""
    if field.declared.type is BOOLEAN:
        return ("false", "true")
    schema = field.declared.type.schema
    parts = cast(Sequence[Mapping[str, Sequence[str]]], schema.get("anyOf", [schema]))
    return next((part["enum"] for part in parts if "enum" in part), ())


def default_of(field: Field) -> str:
    """Returns what holds for a field where nothing says otherwise, as written; empty for nothing.

    That is a Locust test's own default, or else the field's.
    """
    return option_text(BASE.get(field.name, field.default_written))


def option_text(written: object) -> str:
    """Returns a value that a TOML file could hold as the text of an option; empty for None."""
    if written is None:
        return ""
    if isinstance(written, bool):
        return str(written).lower()
    if isinstance(written, Mapping):
        return ",".join(f"{name}={weight:g}" for name, weight in written.items())
    if isinstance(written, float):
        return f"{written:g}"
    if isinstance(written, Sequence) and not isinstance(written, str):
        return "; ".join(str(each) for each in written)
    return str(written)


def _checked(field: Field) -> Callable[[str], str]:
    """Returns a function that returns an option's text, and that argparse calls for its errors."""

    def check(text: str) -> str:
        if text:  # an empty one is reported later, with those of variables
            try:
                field.read(field.declared.type.from_option(text))
            except UsageError as error:
                raise argparse.ArgumentTypeError(visible(str(error))) from None
        return text

    return check


def _sentences(field: Field) -> Iterator[str]:
    """What the help says of a field: its meaning, an example, and its default."""
    text = field.declared.help
    yield text
    if field.declared.type is OBJECTIVES:
        yield "Separate several with semicolons."
    if field.declared.example is not None:
        yield f"Example: {field.declared.example}."
    if default := default_of(field):
        yield f"Default: {default}."


def _placeholder(field: Field) -> str:
    if choices := choices_of(field):
        return f"{{{','.join(choices)}}}"
    if field.declared.type.flag is int:
        return "<int>"
    kind = field.declared.type
    return next((text for each, text in _PLACEHOLDERS if each is kind), "<text>")


def _add(
    group: Any, *names: str, in_page: bool = True, is_secret: bool = False, **rest: object
) -> None:
    """Add an option to a group, with what Locust's own parser notes for its web page."""
    action = group.add_argument(*names, **{**rest, "help": str(rest["help"]).replace("%", "%%")})
    action.include_in_web_ui = in_page
    action.is_secret = is_secret
    action.is_required = action.is_multiple = False


def _add_server_and_record(group: Any) -> None:
    """Options about the server, the workers and the record."""
    _add_server(group)
    _add_workers(group)
    _add(
        group,
        "--allow-shared",
        action="store_true",
        help="Use queues that already hold tasks.",
    )
    _add(group, "--keep", action="store_true", help="Leave what the test wrote in Redis.")
    _add(
        group,
        "--record",
        default=None,
        metavar="<filename>",
        in_page=False,
        help="File of the run record; one in results/ by default.",
    )
    _add_monitoring(group)


def _add_monitoring(group: Any) -> None:
    _add(
        group,
        "--metrics",
        default=None,
        metavar="<address>",
        in_page=False,
        help="Serve metrics for Prometheus at this address: :9464 is on the loopback interface.",
    )
    _add(
        group,
        "--metrics-linger",
        default=None,
        metavar="<duration>",
        in_page=False,
        help="At the end, wait until the last values have been scraped, at most this long. "
        "Example: 15s.",
    )
    _add(
        group,
        "--otlp",
        default=None,
        metavar="<url>",
        in_page=False,
        is_secret=True,
        help="Push metrics to the OpenTelemetry collector at this URL, by OTLP over HTTP. "
        "Example: http://127.0.0.1:4318.",
    )


def _add_server(group: Any) -> None:
    _add(
        group,
        "--redis-url",
        env_var=URL_VARIABLE,
        in_page=False,
        is_secret=True,
        default=None,
        metavar="<url>",
        help="URL of the server: redis://, rediss:// or unix://. Better in "
        f"{URL_VARIABLE}: other users can see a password on the command line. "
        "Example: redis://127.0.0.1:6379/0.",
    )
    _add(
        group,
        "--embedded",
        action="store_true",
        in_page=False,
        help="Start a server for the test, and remove it afterwards.",
    )
    _add(
        group,
        "--server-binary",
        default=None,
        metavar="<filename>",
        in_page=False,
        help="Start this server binary instead of the embedded one. Example: redis-server.",
    )


def _add_workers(group: Any) -> None:
    _add(
        group,
        "--start-worker",
        nargs="?",
        type=int,
        const=1,
        default=0,
        metavar="<int>",
        in_page=False,
        help="Start this number of workers for the test; 1 without a number. Default: 0.",
    )
    _add(
        group,
        "--enqueue-only",
        action="store_true",
        help="Expect no workers to serve the queues.",
    )


def _add_shapes(group: Any) -> None:
    """Options about where the load comes from: a scenario, or a shape."""
    names = ", ".join(library.names())
    _add(
        group,
        "--scenario",
        default=None,
        metavar="<name|file.toml>",
        help=f"Name of a built-in scenario ({names}), or a TOML file.",
    )
    _add(
        group,
        "--shape-duration",
        default=None,
        metavar="<duration>",
        help="Length of a load shape. Example: 10m. Default: 2m.",
    )
    _add(
        group,
        "--trace",
        default=None,
        metavar="<file.csv>",
        help="CSV file of rates for the shape trace.py, with columns time_s and rate_per_s.",
    )
