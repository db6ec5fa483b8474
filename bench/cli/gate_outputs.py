"""Where the outcome of a comparison is written, for all commands that make one."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from bench import files
from bench.records import comparison_record
from bench.records.comparison_record import GateRecord
from bench.reports.gate.github import annotations
from bench.reports.gate.junit import junit
from bench.reports.gate.markdown import markdown
from bench.reports.gate.terminal import print_gate

_OUTPUT = Group("Output", sort_key=5)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class GateOutputs:
    """Output files. On GitHub Actions, annotations and the job's summary are written as well."""

    markdown: Annotated[
        Path | None, Parameter(group=_OUTPUT, help="Write Markdown, for a pull request's comment.")
    ] = None
    junit: Annotated[
        Path | None, Parameter(group=_OUTPUT, help="Write JUnit XML, for a CI's test report.")
    ] = None
    json: Annotated[
        Path | None, Parameter(group=_OUTPUT, help="Write the comparison's record, as JSON.")
    ] = None
    quiet: Annotated[bool, Parameter(group=_OUTPUT, help="Print nothing.")] = False

    def require_writable(self) -> None:
        """Raises UsageError for a file that cannot be written, before anything is measured."""
        for path in (self.markdown, self.junit, self.json):
            if path is not None:
                files.require_writable(path)

    def write(self, gate: GateRecord, place: str | None) -> None:
        """Write every requested output; ``place`` is the folder of the runs' records, if any."""
        if self.json is not None:
            files.write_whole(self.json, comparison_record.encode(gate))
        if self.markdown is not None:
            files.write_whole(self.markdown, markdown(gate).encode())
        if self.junit is not None:
            files.write_whole(self.junit, junit(gate).encode())
        if not self.quiet:
            print_gate(gate, place)
        _write_to_github(gate)


def _write_to_github(gate: GateRecord) -> None:
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:  # shared with the job's other steps
            file.write(markdown(gate))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in annotations(gate):
            sys.stdout.write(line + "\n")
