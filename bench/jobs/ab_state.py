"""The state of an A/B job: a file in a folder with the records of all its runs.

It is written after each run, so that an interrupted job can be resumed.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench import files
from bench.analysis import voids
from bench.analysis.compare import Pair
from bench.errors import UsageError
from bench.jobs.ab_plan import PairPlan
from bench.jobs.arms import Arm
from bench.records import comparison_record, formats, run_record
from bench.records.comparison_record import VoidPair
from bench.records.run_record import RunRecord

FORMAT = "runqy-bench-ab-job/1"
STATE, GATE = "job.json", comparison_record.FILE_IN_JOB
NOISE, PAIR = "noise", "pair"


class CompletedPair(msgspec.Struct, frozen=True):
    """A run that was made: its position in the job and its outcome."""

    phase: str
    number: int
    """Number of its pair, from 1."""
    place: int
    """0 for the first run of a pair, 1 for the second."""
    arm: str
    file: str
    """Name of the record's file in the job's folder."""
    verdict: str
    seconds: float
    """Wall time of the run."""


class Job(msgspec.Struct, kw_only=True):
    """The state of a job.

    The request is fixed when the job begins. ``plan`` is made once: before the first run, or after
    it where the scenario does not tell how long a run takes.
    """

    format: str = FORMAT
    started_at: str
    command: str
    arms: tuple[Arm, Arm]
    gated: list[str]
    shown: list[str]
    margin: float
    budget_s: float
    pairs_asked: int | None
    noise_pairs: int
    base_ref: str | None
    """Revision that measures the base; None for the running one."""
    differing: list[str]
    """Fields in which the arms differ on purpose or may differ (``--allow``)."""
    plan: PairPlan | None
    base_commit: str | None = None
    """The commit that ``base_ref`` named when the job began."""
    setup: str | None = None
    """Command that prepares the worktree of each arm with a revision."""
    stops_early: bool = False
    """Whether the job ends at the first interim analysis at which its decision is plain. One that
    an earlier version began goes on with its fixed plan."""
    stopped_after: int | None = None
    """Number of compared pairs after which it ended early; None as long as it did not."""
    voids: bool = False
    """Whether pairs whose canaries disagree are void and made up for; never in a job that an
    earlier version began."""
    void: list[VoidPair] = msgspec.field(default_factory=list)
    done: list[CompletedPair] = msgspec.field(default_factory=list)


def pairs_of(folder: Path, job: Job, phase: str) -> list[Pair]:
    """The records of a phase's complete pairs: (base, candidate), or (first, second) for noise."""
    by_number: dict[int, list[CompletedPair]] = {}
    for each in job.done:
        if each.phase == phase:
            by_number.setdefault(each.number, []).append(each)
    pairs = []
    for _, runs_made in sorted(by_number.items()):
        if len(runs_made) == 2:
            first, second = sorted(runs_made, key=lambda each: (each.arm, each.place))
            pairs.append((record_of(folder, first), record_of(folder, second)))
    return pairs


def note_if_void(folder: Path, job: Job) -> None:
    """Note the pair that the last run has completed if its runs are valid and canaries disagree."""
    last = job.done[-1]
    runs = [each for each in job.done if (each.phase, each.number) == (last.phase, last.number)]
    if not job.voids or len(runs) < 2 or any(each.verdict != "valid" for each in runs):
        return
    found = voids.disagreement(*(record_of(folder, each) for each in runs))
    if found is not None:
        is_noise = last.phase == NOISE
        job.void.append(VoidPair(number=last.number, is_noise=is_noise, canaries=found))


def runs_made(folder: Path, job: Job) -> Iterator[tuple[dict[str, str | int], RunRecord]]:
    """Yields what each run was in the job, and its record, in the order in which they were made.

    Raises RecordError for a record that is missing.
    """
    for each in job.done:
        about: dict[str, str | int] = {
            "phase": each.phase,
            "pair": each.number,
            "place": each.place + 1,
            "arm": each.arm,
            "verdict": each.verdict,
            "file": each.file,
        }
        yield about, record_of(folder, each)


def record_of(folder: Path, done: CompletedPair) -> RunRecord:
    return run_record.load(folder / done.file)


def require_none(folder: Path) -> None:
    """Raise UsageError for a folder with records of a job: they would be mixed with another's."""
    if (folder / STATE).exists() and any(folder.glob(f"{NOISE}-*.json")):
        raise UsageError(
            f"{folder} already holds a job: continue it with --resume {shlex.quote(str(folder))}, "
            "or name another folder"
        )


def save(folder: Path, job: Job) -> None:
    """Write the state into the job's folder. Raises UsageError when it cannot be written."""
    files.write_whole(folder / STATE, formats.encode(job))


def load(folder: Path) -> Job:
    """Read the state of a job from its folder or file. Raises RecordError when there is none."""
    path = folder / STATE if folder.is_dir() else folder
    return formats.load(path, Job, FORMAT, "a job of 'bench ab'", "no job to resume: ")
