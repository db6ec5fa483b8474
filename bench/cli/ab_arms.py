"""The arms of ``bench ab`` as they are written: flags of ``bench run``, read and checked."""

import contextlib
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import cyclopts
import msgspec
from cyclopts import Parameter

from bench.cli import run as run_command
from bench.cli.arguments import flags_of, require_complete, with_values
from bench.cli.command_line import settings as command_settings
from bench.cli.field_flags import FieldFlags, ScenarioFlags
from bench.cli.options import ServerFlags, settled
from bench.cli.refusals import refusal
from bench.cli.run_flags import RunFlags
from bench.errors import BenchError, ServerUnreachable, UsageError
from bench.jobs import arms
from bench.jobs.arms import Arm
from bench.jobs.repository import Revision
from bench.redisio import connection, embedded, server_config
from bench.run.external_worker import command_of
from bench.workload import library, until_checks
from bench.workload.feed import payloads
from bench.workload.fields import FIELDS
from bench.workload.measurable import require_measured
from bench.workload.metrics import Metric
from bench.workload.scenario import Scenario

_NOT_FOR_ARMS = ("output", "results", "json", "quiet", "keep")
_SOME_URL = "redis://127.0.0.1:1/0"
"""Fills in the placeholders of a worker's command before there is a server."""


@dataclass(frozen=True)
class ArmFlags:
    """The flags of an arm, as written and as read, before its scenario is."""

    label: str
    text: str
    own: ScenarioFlags
    where: ServerFlags
    others: Mapping[str, object]
    """Further flags of 'bench run', by name."""


@dataclass(frozen=True)
class ReadArm:
    """An arm with the scenario and the flags that its runs will have."""

    arm: Arm
    scenario: Scenario
    others: Mapping[str, object]
    tls: Mapping[str, object] = field(default_factory=dict)
    """Flags of TLS, by name."""

    def where(self) -> ServerFlags:
        """Returns the server that its runs use."""
        return ServerFlags(redis_url=self.arm.resolved_url(), **self.tls)  # type: ignore[arg-type]

    def server(self) -> tuple[object, ...]:
        """What says which server its runs use, to be compared with another arm's."""
        config = self.others.get("server_config")
        with _naming(self.arm.label), in_folder(self.arm):
            content = server_config.read_config(config) if isinstance(config, list) else None
        return self.arm.url, self.others.get("server_binary"), content


@contextlib.contextmanager
def in_folder(arm: Arm) -> Iterator[None]:
    """Reads relative paths as the runs of an arm will."""
    with contextlib.chdir(arm.folder) if arm.folder else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def _naming(label: str) -> Iterator[None]:
    """Puts the arm's name before the message of an error."""
    try:
        yield
    except ServerUnreachable as error:
        raise ServerUnreachable(f"arm {label}: {error}") from None
    except cyclopts.CycloptsError as error:
        raise UsageError(f"arm {label}: {refusal(error, 'run', ())}") from None
    except (ValueError, BenchError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            reason if reason.startswith("arm ") else f"arm {label}: {reason}"
        ) from None


def read_flags(label: str, text: str) -> ArmFlags:
    """Reads the flags of an arm. Raises UsageError, naming the arm."""
    with _naming(label):
        return ArmFlags(label, text, *_read(shlex.split(text)))


def read_arm(
    flags: ArmFlags,
    name: str,
    common: FieldFlags,
    where: ServerFlags,
    place: tuple[Revision, Path] | None,
) -> ReadArm:
    """Returns an arm with its scenario, read in its folder. Raises UsageError, naming the arm.

    ``place`` is the revision that it runs from and the folder that this is checked out in; None for
    the working folder.
    """
    with _naming(flags.label):
        url = where.redis_url if flags.where.redis_url is None else flags.where.redis_url
        revision, folder = place or (None, None)
        arm = Arm(
            label=flags.label,
            text=flags.text,
            arguments=(),
            url=url,
            revision=revision,
            folder=None if folder is None else str(folder),
        )
        given = {**_kept(common.changes(), flags.own), **flags.own.changes()}
        others = tuple(flags_of(flags.others))
        tls = {**_absolute(where.tls_changes()), **flags.where.tls_changes()}
        if "until" in given:
            raise UsageError(f"--until: {until_checks.ONE_LENGTH}")
        arms.require_no_secret(flags.label, (*flags_of(given), *others), url)
        with in_folder(arm):
            scenario, changes = settled(name, given)
            until_checks.require_none(scenario, until_checks.ONE_LENGTH)
        arm = msgspec.structs.replace(arm, arguments=(name, *flags_of({**changes, **tls}), *others))
        read = ReadArm(arm, scenario, flags.others, tls)
        with in_folder(arm):
            read.where().url()  # reports what cannot be read
    return read


def _absolute(tls: Mapping[str, object]) -> dict[str, object]:
    """The flags of both arms: their paths are meant where the user is, not in an arm's folder."""
    return {name: each.absolute() if isinstance(each, Path) else each for name, each in tls.items()}


def _kept(common: Mapping[str, object], own: FieldFlags) -> dict[str, object]:
    """The flags of both arms, without the settings that an arm's own flags replace."""
    replaced = {each for name in own.changes() for each in FIELDS[name].declared.replaces}
    return {
        name: value
        for name, value in common.items()
        if name not in replaced or name not in command_settings()
    }


def _read(arguments: Sequence[str]) -> tuple[ScenarioFlags, ServerFlags, dict[str, object]]:
    """Returns flags of 'bench run': the scenario's, the server's, and all others by name."""
    require_complete(arguments)
    parser = cyclopts.App(default_parameter=Parameter(negative=()))
    parser.default(run_command.run)
    _, bound, _ = parser.parse_args(with_values(arguments), exit_on_error=False, print_error=False)[
        :3
    ]
    if "scenario" in bound.arguments:
        raise UsageError(
            f"{bound.arguments['scenario']!r} is not a flag; both arms share the scenario"
        )
    how = bound.arguments.get("how") or RunFlags()
    how.export_targets()  # reports what cannot be read
    given = {
        each.name: getattr(how, each.name)
        for each in fields(how)
        if getattr(how, each.name) != each.default
    }
    for flag in _NOT_FOR_ARMS:
        if flag in given:
            raise UsageError(f"--{flag}: the job sets it; remove it from the arm")
    return (
        bound.arguments.get("flags") or ScenarioFlags(),
        bound.arguments.get("where") or ServerFlags(),
        given,
    )


def require_repository_used(read: Sequence[ReadArm], setup: str | None) -> None:
    """Raises UsageError for arms that run from revisions of which they use nothing: they would
    measure the same programs."""
    if setup is not None or any(each.arm.revision is None for each in read):
        return
    used = any(
        each.scenario.worker_command is not None
        or each.scenario.payload_file is not None
        or library.names_file(each.arm.arguments[0])
        or {"server_binary", "server_config"} & set(each.others)
        for each in read
    )
    if not used:
        raise UsageError(
            "--base-ref measures revisions of this repository, but nothing of it takes part in the "
            "runs: give the worker that it holds with --worker-command (and --setup, if it has to "
            "be built), or a scenario file of it"
        )


def require_metrics(read: Sequence[ReadArm], gated: Sequence[Metric]) -> None:
    """Raises UsageError for a metric that decides and that runs of an arm cannot have."""
    for each in read:
        for metric in gated:
            try:
                require_measured(metric, each.scenario)
            except UsageError as error:
                raise UsageError(
                    f"--gate: {metric.name!r}: arm {each.arm.label}: {error}"
                ) from None


def require_runnable(read: ReadArm) -> None:
    """Raises an error, naming the arm, for what would end its runs before anything is measured.

    That is a server that does not answer, or a program or file that is not there. UsageError, or
    ServerUnreachable.
    """
    with _naming(read.arm.label), in_folder(read.arm):
        flags = RunFlags(**read.others)  # type: ignore[arg-type]
        flags.require_restarts(read.scenario)
        url = flags.server_url(read.where())
        flags.require_pinnable(read.scenario, url)
        if url is not None:
            connection.open_client(url).close()
        else:
            embedded.find_binary(flags.server_binary)
            server_config.read_config(flags.server_config or ())
        payloads(read.scenario)
        if read.scenario.worker_command is not None:
            program = command_of(read.scenario, url or _SOME_URL).words[0]
            _require_program(program, read.arm.revision)


def _require_program(program: str, revision: Revision | None) -> None:
    """Raises UsageError for a program of a worker's command that is not there."""
    if shutil.which(program) is not None:
        return
    where, cure = "", "check the path"
    if revision is not None and "/" in program and not Path(program).is_absolute():
        where, cure = f" in {revision.text}", "build it with --setup, or check the path"
    raise UsageError(
        f"worker_command: {program}: no such program{where}, or not executable: {cure}"
    )
