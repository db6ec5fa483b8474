"""The revisions of ``bench ab``: of the user's repository, in worktrees, or of this project."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from bench.cli.messages import notify
from bench.errors import UsageError
from bench.inert import visible
from bench.jobs import arms, repository, worktrees
from bench.jobs.ab_state import Job
from bench.jobs.arms import BASE
from bench.jobs.repository import Revision
from bench.jobs.revision import installed

Places = Sequence[tuple[Revision, Path] | None]
"""For each arm, its revision and the folder that it is checked out in; None where it has none."""
NO_PLACES: Places = (None, None)


def chosen(
    base_ref: str | None, candidate_ref: str | None, setup: str | None, *, has_worker: bool
) -> Sequence[Revision]:
    """Returns the revisions of the user's repository that the arms run from, if they do.

    With ``--base-ref`` they do, except in a checkout of this project, whose own revisions are then
    measured: unless a set-up or a worker command (``has_worker``) says that the user's code is.
    Raises UsageError for flags that need others, and for revisions that are not there.
    """
    if base_ref is None:
        for flag, value in (("--candidate-ref", candidate_ref), ("--setup", setup)):
            if value is not None:
                raise UsageError(f"{flag} needs --base-ref, the revision to compare with: add it")
        return ()
    if setup is None and not has_worker and repository.is_project():
        if candidate_ref is not None:
            raise UsageError(
                "--candidate-ref: here the candidate is the running bench: remove it, or give the "
                "--worker-command that is to be measured"
            )
        return ()
    if setup is not None:
        arms.require_no_secret(BASE, ["sh", "-c", setup], None)
    base = repository.revision_of(base_ref)
    if candidate_ref is not None:
        return base, repository.revision_of(candidate_ref, "--candidate-ref")
    return base, repository.working_tree()


@contextlib.contextmanager
def checked_out(revisions: Sequence[Revision | None]) -> Iterator[Places]:
    """Check each revision out for as long as the context lasts."""
    with contextlib.ExitStack() as stack:
        yield [
            None if each is None else (each, stack.enter_context(worktrees.checked_out(each)))
            for each in revisions
        ] or NO_PLACES


def placed(job: Job, places: Places) -> None:
    """Let the arms of a job that is resumed run where their revisions are checked out now."""
    first, second = (
        arm if place is None else msgspec.structs.replace(arm, folder=str(place[1]))
        for arm, place in zip(job.arms, places, strict=True)
    )
    job.arms = first, second


def set_up(job: Job) -> None:
    """Run the set-up command of a job for each arm with a revision, and show why one fails."""
    if job.setup is None:
        return
    for arm in job.arms:
        if arm.revision is None or arm.folder is None:
            continue
        notify(f"setting up arm {arm.label}, {arm.revision.text} ({arm.revision.short})")
        try:
            worktrees.set_up(Path(arm.folder), job.setup, arm.label, arm.revision)
        except worktrees.SetupError as error:
            if error.output:
                sys.stderr.write(visible(error.output, keep="\n") + "\n")
            raise


@contextlib.contextmanager
def base_installed(job: Job) -> Iterator[None]:
    """Install the revision of this project that measures the base, if the job has one."""
    if job.base_ref is None or job.arms[0].revision is not None:
        yield
        return
    job.base_commit = job.base_commit or repository.commit_of(job.base_ref)
    notify(f"installing {job.base_ref} for arm {BASE}")
    with installed(job.base_commit) as command:
        base, candidate = job.arms
        text = base.text or f"revision {job.base_ref}"
        base = msgspec.structs.replace(base, text=text, bench=(str(command),), is_isolated=True)
        job.arms = base, candidate
        yield
