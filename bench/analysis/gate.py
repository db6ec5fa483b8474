"""Turns a comparison into its record, with both sides described and what a reader must know."""

from collections import Counter
from collections.abc import Iterable, Sequence

from bench.analysis import rule
from bench.analysis.compare import Comparison, Pair
from bench.records import timestamps
from bench.records.comparison_record import GateRecord, Side, Stopping
from bench.records.formats import server_name
from bench.records.run_record import RunRecord


def side(label: str, what: str, records: Sequence[RunRecord], revision: str | None = None) -> Side:
    """Returns the description of one side.

    ``what`` says how it differs from the other: flags, a revision, or the files it was read from.
    ``revision`` is the commit of the user's code that it measured; None for that of this project.
    """
    return Side(
        label=label,
        what=what,
        runs=len(records),
        verdicts=dict(Counter(record.verdict for record in records)),
        revision=revision or _several(map(revision_of, records)),
        server=_several(server_name(each.server) for each in records),
    )


def assemble(
    comparison: Comparison,
    sides: tuple[Side, Side],
    pairs: Sequence[Pair],
    command: str,
    *,
    noise_pairs: int = 0,
    duration_s: float | None = None,
    notes: Sequence[str] = (),
    stopping: Stopping | None = None,
) -> GateRecord:
    """Returns the record of a comparison.

    ``sides`` describe the base and the candidate, ``command`` is the command line that made the
    comparison, and ``duration_s`` the time that the runs took; None for runs read from files.
    ``stopping`` is the plan of a job and where it ended.
    """
    first = pairs[0][0]
    return GateRecord(
        made_at=timestamps.now(),
        duration_s=duration_s,
        command=command,
        title=first.scenario.name,
        base=sides[0],
        candidate=sides[1],
        pairs=comparison.pairs,
        pairs_left_out=comparison.left_out,
        noise_pairs=noise_pairs,
        stopping=stopping,
        alpha=rule.ALPHA,
        confidence=rule.CONFIDENCE,
        rows=list(comparison.rows),
        faults=list(comparison.faults),
        notes=[*notes, *_widened(comparison)],
        machine=_machine(first),
        drift=comparison.drift,
        decision=comparison.decision,
        exit_code=int(comparison.exit_code),
    )


def _widened(comparison: Comparison) -> list[str]:
    """Returns a note for each metric whose margin is set by noise and not by the user."""
    widened = [
        row for row in comparison.rows if row.is_gated and row.floor and row.floor >= row.margin
    ]
    return [
        f"noise widened the margin of {row.metric} to {row.margin:.1%}, so a smaller slowdown "
        "would pass; use a longer --budget to narrow it"
        for row in widened
    ]


def _machine(record: RunRecord) -> str:
    environment = record.environment
    return f"{environment.get('cpu_model')}, {environment.get('cores')} cores"


def revision_of(record: RunRecord) -> str:
    """Returns the commit that a run was measured with, or the version where there is no commit.

    A ``+`` marks a checkout with uncommitted changes.
    """
    git = record.environment.get("git")
    if isinstance(git, dict):
        return str(git.get("commit", ""))[:10] + ("+" if git.get("dirty") else "")
    packages = record.environment.get("packages")
    return f"bench {packages.get('bench')}" if isinstance(packages, dict) else "–"


def _several(texts: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(texts))
