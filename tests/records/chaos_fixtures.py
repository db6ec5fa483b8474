"""Records of ``bench chaos`` for tests: values that a real one had, shortened."""

from typing import Any

import msgspec

from bench.analysis.chaos import run_row, spreads
from bench.measure.faults import FaultOutcome
from bench.measure.ledger import Counts
from bench.records.chaos_record import ChaosCase, ChaosRecord, ChaosRun, LeftOut
from bench.records.run_record import RunRecord, SloResult
from bench.workload import chaos
from tests.records.fixtures import example_record

LEVEL = "e2e.p99 < 50ms"
SLO = ("lost{restart} == 0", "recovery{all}.time < 5s", LEVEL)


def case(name: str, slo: tuple[str, ...] = SLO, **changes: Any) -> ChaosCase:
    """A fault with its plan in runs of 15 s."""
    objectives = chaos.objectives_of(name, slo)
    fields = {
        "plan": chaos.plan_of(name, 15.0, 2.0),
        "arguments": [],
        "slo": [written for written, _ in objectives],
        "run_slo": [as_run for _, as_run in objectives],
        **changes,
    }
    return ChaosCase(name=name, **fields)


def outcome(name: str, **changes: Any) -> FaultOutcome:
    """What a fault did that lost nothing, and after which all was back in 1.2 s."""
    fields = {
        "kind": chaos.FAULTS[name].kind,
        "fault": chaos.plan_of(name, 15.0, 2.0),
        "planned_s": 6.0,
        "began_s": 6.0,
        "ended_s": 6.2,
        "enqueue_gap_s": 0.21,
        "enqueue_gap_at_least_s": 0.21,
        "completion_gap_s": 0.33,
        "completion_gap_at_least_s": 0.33,
        "recovered_s": {"enqueue rate": 0.3, "completion rate": 1.2, "backlog": 0.0, LEVEL: 0.9},
        **changes,
    }
    return FaultOutcome(**fields)


def run_of(name: str, *faults: FaultOutcome, **changes: Any) -> RunRecord:
    """The record of a run with a fault: its ledger has what the faults explain."""
    found = faults or (outcome(name),)
    lost, unknown = sum(each.lost for each in found), sum(each.unknown for each in found)
    refused = sum(each.refused for each in found)
    doubled = sum(each.duplicated for each in found)
    counts = Counts(
        due=7500,
        enqueued=7500 - unknown - refused,
        completed=7500 - lost - unknown - refused,
        lost=lost,
        unknown=unknown,
        refused=refused,
        duplicated=doubled,
    )
    slo = [
        SloResult(
            as_run, None if "recovery" in as_run and found[0].recovery_s is None else 1.0, True
        )
        for as_run in case(name).run_slo
    ]
    fields = {
        "faults": list(found),
        "counts": counts,
        "queues": {"q": counts},
        "warnings": [],
        "slo": slo,
        "verdict": "lossy" if lost or unknown or refused or doubled else "valid",
        **changes,
    }
    return msgspec.structs.replace(example_record(), **fields)


def row(name: str, *faults: FaultOutcome, number: int = 1, **changes: Any) -> ChaosRun:
    """The row of such a run."""
    return run_row(case(name), number, run_of(name, *faults, **changes), 17.2, f"{name}-01.json")


def record(
    runs: list[ChaosRun] | None = None,
    left_out: tuple[LeftOut, ...] = (),
    slo: tuple[str, ...] = SLO,
    **changes: Any,
) -> ChaosRecord:
    """Four faults, one of which could not be made."""
    run = example_record()
    names = ("kill", "restart", "failover", "stall")
    fields = {
        "started_at": "2026-01-15T09:30:00+00:00",
        "command": "bench chaos",
        "scenario": run.scenario,
        "words": ["chaos"],
        "repeat": 1,
        "run_s": 15.0,
        "slo": list(slo),
        "cases": [case(name, slo) for name in names],
        "left_out": list(left_out),
        "runs": [row(name) for name in names] if runs is None else runs,
        "environment": run.environment,
        "server": run.server,
        "is_complete": True,
        "ended": "finished",
        **changes,
    }
    made = ChaosRecord(**fields)
    return msgspec.structs.replace(made, spreads=spreads(made))


def lossy() -> ChaosRecord:
    """A killed worker whose task was lost, a restart that lost more than is allowed and was not
    back, a failover for which there is no program, and a stall."""
    killed = outcome(
        "kill", lost=1, completion_gap_s=0.26, completion_gap_at_least_s=0.02, run_again=3
    )
    started = outcome("kill", kind="start", fault="8s start worker", began_s=8.0, recovered_s={})
    restarted = outcome(
        "restart",
        lost=12,
        unknown=2,
        refused=116,
        enqueue_gap_s=None,
        enqueue_gap_at_least_s=4.0,
        recovered_s={"enqueue rate": 0.3, "completion rate": 1.2, "backlog": None, LEVEL: None},
    )
    missed = [SloResult("lost{restart} == 0", 12.0, False), SloResult(SLO[1], None, False)]
    missed.append(SloResult(LEVEL, 2.1, False))
    return record(
        runs=[
            row("kill", killed, started),
            row("restart", restarted, slo=missed),
            row("stall", outcome("stall", enqueue_gap_s=2.0, enqueue_gap_at_least_s=2.0)),
        ],
        left_out=(
            LeftOut(name="failover", reason="redis-server cannot be a Sentinel: name another"),
        ),
    )
