"""``bench init``: a scenario for the user's own queue, from a server or from answers."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bench import files
from bench.cli import command_line
from bench.cli.arguments import WHOLE, read_flag, require_within
from bench.cli.field_flags import FieldFlags, flags_for
from bench.cli.groups import OUTPUT, SERVER
from bench.cli.messages import notify
from bench.cli.options import ServerFlags, layout_named, require_readable
from bench.cli.scenarios import SCHEMA_LINES
from bench.errors import UsageError
from bench.redisio.connection import open_client, translated_errors
from bench.redisio.url import parse
from bench.reports.console import next_lines, note_line, print_parts
from bench.secrets import URL_VARIABLE
from bench.survey.draft import draft_of
from bench.survey.drafted import Draft, DraftedField
from bench.survey.next_commands import next_commands
from bench.survey.reader import SurveyRequest, survey
from bench.survey.toml_text import scenario_of, text_of
from bench.workload.fields import FIELDS
from bench.workload.override import override
from bench.workload.quantities import read_duration

DEFAULT_FILE = Path("my-queue.toml")
_ASKED = (
    "queues",
    "layout",
    "arrivals",
    "rate",
    "duration",
    "payload_size",
    "max_retry",
    "service_time",
    "concurrency",
    "prefetch",
)
_LARGEST_SAMPLE = 5_000
_LONGEST_WATCH_S = 600.0


@Parameter(name="*")
@flags_for([FIELDS[name] for name in _ASKED], None, shows_defaults=False)
class InitFields(FieldFlags):
    """Fields of the scenario that are given instead of being read or asked for."""


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class InitFlags:
    """How a scenario is made, and where it goes."""

    output: Annotated[
        Path,
        Parameter(
            group=OUTPUT,
            alias="-o",
            metavar="FILE",
            help="File to write the scenario to. Example: orders.toml",
        ),
    ] = DEFAULT_FILE
    force: Annotated[bool, Parameter(group=OUTPUT, help="Overwrite the file where it exists.")] = (
        False
    )
    yes: Annotated[
        bool,
        Parameter(alias="-y", help="Ask nothing: take the usual values, without a server."),
    ] = False
    watch: Annotated[
        str,
        Parameter(
            group=SERVER,
            metavar="DURATION",
            help="How long to watch the queues for arrivals. Example: 30s",
        ),
    ] = "3s"
    sample: Annotated[
        int,
        WHOLE,
        Parameter(group=SERVER, help="Most tasks to read. Example: 1,000"),
    ] = 200

    def watch_s(self) -> float:
        """Returns the time to watch in seconds. Raises UsageError."""
        watch_s = read_flag("--watch", read_duration, self.watch)
        if watch_s > _LONGEST_WATCH_S:
            raise UsageError(f"--watch: {self.watch} is too long: at most 10m")
        return watch_s


def init(
    *,
    fields: InitFields | None = None,
    where: ServerFlags | None = None,
    how: InitFlags | None = None,
) -> int:
    """Write a scenario that is like your own queue.

    Each value has a comment that says where it came from. With --redis-url or BENCH_REDIS_URL it is
    made from that server, which is only read: a sample of its tasks, the lengths of its queues, and
    what they count. Without a server it asks.
    """
    fields, where, how = fields or InitFields(), where or ServerFlags(), how or InitFlags()
    given = _given(fields)
    request_sample = require_within("--sample", how.sample, 1, _LARGEST_SAMPLE)
    watch_s, url = how.watch_s(), where.url()
    _require_new(how)
    if url is None:
        draft = _answered(given, how)
    else:
        where.warn_of_password()
        layout = given.get("layout")
        request = SurveyRequest(
            url, None if layout is None else str(layout), request_sample, watch_s
        )
        draft = _surveyed(request)
    draft = _with_given(draft, given)
    text = text_of(draft, SCHEMA_LINES)
    files.write_whole(how.output, text.encode())
    if not files.is_standard_output(how.output):
        _show(draft, how.output, text)
    return 0


def _given(fields: InitFields) -> dict[str, object]:
    """The fields of the command line. A setting of a file or a variable holds for the runs of the
    scenario anyway, and must not hide what the server has."""
    settings = command_line.settings()
    given = {name: value for name, value in fields.changes().items() if name not in settings}
    require_readable(given)
    if "layout" in given:
        layout_named(str(given["layout"]))
    return given


def _require_new(how: InitFlags) -> None:
    """Raises UsageError for a file that exists, unless it may be overwritten, and for one that
    cannot be written."""
    if not how.force and _is_file(how.output):
        raise UsageError(f"{how.output} exists: name another file with -o, or say --force")
    files.require_writable(how.output)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # what it is will be told where it cannot be written
        return False


def _answered(given: Mapping[str, object], how: InitFlags) -> Draft:
    from bench.cli import init_questions  # noqa: PLC0415 - a server needs no questions

    asks = not how.yes
    if asks and not init_questions.can_ask():
        raise UsageError(
            "there is no terminal to ask on: say --yes for the usual values, or name a server to "
            f"read with --redis-url or {URL_VARIABLE}"
        )
    return init_questions.draft_of_answers(given, asks=asks)


def _surveyed(request: SurveyRequest) -> Draft:
    notify(f"reading the queues of {parse(request.url).address} for {request.watch_s:g} s")
    with open_client(request.url) as client, translated_errors(request.url):
        return draft_of(survey(client, request))


def _with_given(draft: Draft, given: Mapping[str, object]) -> Draft:
    """The draft with the values of the command line, and without what they contradict."""
    written = {each.name: each.value for each in draft.fields}
    merged = override(written, given)
    origins = {each.name: each.origin for each in draft.fields}
    origins |= {name: f"given: {FIELDS[name].option}" for name in given}
    return dataclasses.replace(
        draft, fields=[DraftedField(name, merged[name], origins[name]) for name in merged]
    )


def _show(draft: Draft, path: Path, text: str) -> None:
    url_is_set = URL_VARIABLE in os.environ
    steps = next_commands(str(path), scenario_of(text), url_is_set=url_is_set)
    own_server = f"without {URL_VARIABLE}, these run on a server of their own"
    notes = [*draft.notes, *([own_server] if url_is_set else [])]
    print_parts(
        lambda _: [
            f"wrote {path}, {draft.headline}",
            *map(note_line, notes),
            *next_lines(steps),
        ]
    )
