"""Flags that commands share which measure, and save one record."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from bench import files
from bench.cli.groups import OUTPUT, SERVER
from bench.cli.options import ServerFlags
from bench.errors import ExitCode, UsageError
from bench.secrets import URL_VARIABLE

if TYPE_CHECKING:
    from bench.redisio.embedded import EmbeddedServer

ResultsFlag = Annotated[
    Path | None,
    Parameter(
        group=OUTPUT,
        metavar="FOLDER",
        help="Folder for records without --output: results/ in a project, otherwise the user's own "
        "data. Example: load-tests",
    ),
]
"""The flag of a command that saves a record under a name of its own."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RecordFlags:
    """Where the record of a measurement goes, and what is shown."""

    output: Annotated[
        Path | None,
        Parameter(alias="-o", group=OUTPUT, help="File for the record. Example: evening-peak.json"),
    ] = None
    results: ResultsFlag = None
    json: Annotated[bool, Parameter(group=OUTPUT, help="Print only the record, as JSON.")] = False
    quiet: Annotated[
        bool,
        Parameter(
            alias="-q",
            group=OUTPUT,
            help="Show no progress, and no report unless something failed.",
        ),
    ] = False

    @property
    def hides_progress(self) -> bool:
        """Whether nothing may be shown while the measurement lasts."""
        return self.quiet or self.json

    def shows_report(self, path: Path, code: ExitCode) -> bool:
        """Whether the report, or the record with ``--json``, is to be printed at the end.

        Not where the record itself came out of standard output: it stands there alone.
        """
        is_asked = self.json or not self.quiet or code is not ExitCode.PASSED
        return is_asked and not files.is_standard_output(path)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MeasuringFlags(RecordFlags):
    """Which server is started for a measurement, and where its results go."""

    server_binary: Annotated[
        str | None,
        Parameter(
            group=SERVER,
            metavar="PROGRAM",
            help="Start this Redis server binary instead of the embedded one. Example: "
            "redis-server",
        ),
    ] = None
    server_config: Annotated[
        list[str] | None,
        Parameter(
            group=SERVER,
            metavar="FILE|SETTINGS",
            help="Start the server with this configuration file, in the format of redis.conf, or "
            "with these settings; may be given several times. Address, password and folder are the "
            "run's own. Example: 'appendonly yes, appendfsync always'",
        ),
    ] = None

    def server_url(self, where: ServerFlags) -> str | None:
        """Returns the URL of a running server to use; None where one is to be started.

        Raises UsageError where a server was named, and what starts another was given as well.
        """
        url = where.url()
        starting = "--server-binary" if self.server_binary is not None else "--server-config"
        starts = self.server_binary is not None or self.server_config is not None
        if url is not None and starts:
            named = URL_VARIABLE if where.redis_url is None else "--redis-url"
            raise UsageError(
                f"{starting} starts a server, but {named} names one; remove one of them"
            )
        return url

    @contextlib.contextmanager
    def own_server(self) -> Iterator["EmbeddedServer"]:
        """Run the server that these flags ask for. Raises UsageError and ServerUnreachable."""
        from bench.redisio import embedded  # noqa: PLC0415 - a help needs no connections

        with embedded.running(self.server_binary, self.server_config or ()) as server:
            yield server

    def server_flags(self) -> dict[str, object]:
        """Returns the flags that say which server to start, by name, where they were given."""
        given = {"server_binary": self.server_binary, "server_config": self.server_config}
        return {name: value for name, value in given.items() if value is not None}
