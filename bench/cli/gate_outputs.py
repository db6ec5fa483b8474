"""Where the outcome of a comparison is written, for all commands that make one."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TextIO

from cyclopts import Parameter

from bench import files
from bench.cli.groups import OUTPUT
from bench.cli.messages import notify
from bench.errors import ExitCode, UsageError
from bench.records import comparison_record
from bench.records.comparison_record import GateRecord
from bench.reports.gate.github import annotations
from bench.reports.gate.junit import junit
from bench.reports.gate.markdown import markdown
from bench.reports.gate.terminal import print_gate


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GateOutputs:
    """Output files. On GitHub Actions, annotations and the job's summary are written as well."""

    markdown: Annotated[
        Path | None,
        Parameter(
            group=OUTPUT, help="Write Markdown, for a pull request's comment. Example: comment.md"
        ),
    ] = None
    junit: Annotated[
        Path | None,
        Parameter(group=OUTPUT, help="Write JUnit XML, for a CI's test report. Example: gate.xml"),
    ] = None
    json: Annotated[
        Path | None,
        Parameter(group=OUTPUT, help="Write the comparison's record, as JSON. Example: gate.json"),
    ] = None
    quiet: Annotated[bool, Parameter(alias="-q", group=OUTPUT, help="Print nothing.")] = False

    def require_writable(self) -> None:
        """Raises UsageError for a file that cannot be written, before anything is measured."""
        for path in self._files:
            if path is not None:
                files.require_writable(path)

    @property
    def _files(self) -> Sequence[Path | None]:
        return self.markdown, self.junit, self.json

    def write(self, gate: GateRecord, folder: Path | None, record: Path | None = None) -> ExitCode:
        """Write every requested output, and return the exit code, which is the decision's.

        ``folder`` is that of the runs' records, if any, and ``record`` a file for the comparison's
        that is written whatever was asked for. A file that cannot be written is told;
        it is a failure only where the decision is none. Where one of them is standard output, it
        stands there alone.
        """
        is_alone = any(files.is_standard_output(path) for path in self._files)
        if not self.quiet and not is_alone:
            print_gate(gate, None if folder is None else str(folder))
        _write_to_github(gate, sys.stderr if is_alone else sys.stdout)
        written = [
            self._write(record, lambda: comparison_record.encode(gate)),
            self._write(self.json, lambda: comparison_record.encode(gate)),
            self._write(self.markdown, lambda: markdown(gate).encode()),
            self._write(self.junit, lambda: junit(gate).encode()),
        ]
        code = ExitCode(gate.exit_code)
        return ExitCode.USAGE if code is ExitCode.PASSED and not all(written) else code

    @staticmethod
    def _write(path: Path | None, content: Callable[[], bytes]) -> bool:
        """Returns whether the file was written, or not asked for."""
        if path is not None:
            try:
                files.save(path, content())
            except UsageError as error:
                notify(str(error))
                return False
        return True


def _write_to_github(gate: GateRecord, log: TextIO) -> None:
    """Write to a GitHub Actions job, which nobody asked for, so that it cannot fail.

    Annotations are lines of the job's log, which is both standard output and standard error.
    """
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations(gate):
            log.write(line + "\n")
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(markdown(gate))  # appended: the job's other steps share the file
        except OSError as error:
            notify(f"the job's summary {summary} cannot be written: {error.strerror}")
