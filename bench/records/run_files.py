"""The run records that users name: files, and folders that stand for the run records in them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.errors import RecordError
from bench.records import formats, run_record
from bench.records.run_record import FORMATS, RunRecord

_KINDS = {
    f"{FORMATS}-gate": "of a comparison",
    f"{FORMATS}-capacity": "of a capacity search",
    f"{FORMATS}-restarts": "of restarts",
    f"{FORMATS}-clients": "of clients",
    f"{FORMATS}-ab-job": "the state of a job",
}
"""What the other files of this project are, by their format without its version."""
_UNFINISHED, _FOREIGN, _OTHER = "of a run that goes on", "no record at all", "another record"
_MOST_NAMED = 3
"""Unreadable files that a message names."""


@dataclass(frozen=True)
class SkippedFile:
    """A file of a folder that is not one of its run records."""

    path: Path
    what: str
    """What it is instead."""
    error: str = ""
    """Why it cannot be read, where it may be a run record; else empty."""


@dataclass(frozen=True)
class RunFiles:
    """Run records with their files, and what was skipped in the folders among them."""

    files: Sequence[tuple[Path, RunRecord]]
    skipped: Sequence[SkippedFile] = ()

    @property
    def paths(self) -> list[Path]:
        """The files of the records."""
        return [path for path, _ in self.files]

    @property
    def records(self) -> list[RunRecord]:
        """The records, in the order of their files."""
        return [record for _, record in self.files]

    @property
    def note(self) -> str:
        """A line that says how many files were skipped, and why; empty where none was."""
        return _note(self.skipped)


def find(paths: Iterable[Path]) -> RunFiles:
    """Reads the run records at these paths: those in a folder in the order in which they began.

    Whatever else a folder holds is skipped. Raises RecordError for a file that is not a run record,
    and for a folder without any.
    """
    found: list[tuple[Path, RunRecord]] = []
    skipped: list[SkippedFile] = []
    for path in paths:
        if path.is_dir():
            inside = _in_folder(path)
            found.extend(inside.files)
            skipped.extend(inside.skipped)
        else:
            found.append((path, run_record.load(path)))
    return RunFiles(found, skipped)


def require_readable(found: RunFiles) -> None:
    """Raises RecordError for a skipped file that may be a run record: a decision that leaves out a
    run is another decision."""
    for each in found.skipped:
        if each.error:
            raise RecordError(each.error)


def _in_folder(folder: Path) -> RunFiles:
    found: list[tuple[Path, RunRecord]] = []
    skipped: list[SkippedFile] = []
    for path in sorted(folder.glob("*.json")):
        read = _read(path)
        if isinstance(read, SkippedFile):
            skipped.append(read)
        else:
            found.append((path, read))
    if not found:
        note = _note(skipped)
        there = f": {note}" if note else "; name one that holds some, or their files"
        raise RecordError(f"{folder}: there is no run record in this folder{there}")
    return RunFiles(sorted(found, key=lambda each: each[1].started_at), skipped)


def _read(path: Path) -> RunRecord | SkippedFile:
    """Returns the run record in a file of a folder, or what the file is instead."""
    try:
        data = formats.read(path)
        if not data:  # reserved by a run that goes on
            return SkippedFile(path, _UNFINISHED)
        written = formats.written_format(path, data, "a run record")
        if not written.startswith(FORMATS):
            return SkippedFile(path, _FOREIGN)
        if not written.startswith(f"{FORMATS}/"):
            return SkippedFile(path, _KINDS.get(written.partition("/")[0], _OTHER))
        return run_record.load_data(path, data)
    except RecordError as error:
        return SkippedFile(path, "unreadable", str(error))


def _note(skipped: Sequence[SkippedFile]) -> str:
    if not skipped:
        return ""
    kinds = dict.fromkeys(each.what for each in skipped)
    reasons = [_counted([each for each in skipped if each.what == kind]) for kind in kinds]
    count = len(skipped)
    files = "1 file, not a run record" if count == 1 else f"{count} files, not run records"
    return f"skipped {files}: {', '.join(reasons)}"


def _counted(alike: Sequence[SkippedFile]) -> str:
    """Returns ``2 records of a comparison``; unreadable files are named."""
    what = f"{len(alike)} {alike[0].what}"
    if not alike[0].error:
        return what
    names = ", ".join(each.path.name for each in alike[:_MOST_NAMED])
    more = f" and {len(alike) - _MOST_NAMED} more" if len(alike) > _MOST_NAMED else ""
    return f"{what} ({names}{more})"
