"""What the server holds of a run's tasks at its end, and who else uses its queues."""

from collections.abc import Sequence

from bench.measure.bits import Bits
from bench.measure.reports import WorkerReport
from bench.redisio import presence, queue_keys
from bench.redisio.other_clients import poppers
from bench.run.collected import RemainingTasks
from bench.run.prepare import PreparedRun
from bench.wire.layout_contract import KeyRole
from bench.workload.mix import queue_of_tasks


def find_remaining(prepared: PreparedRun) -> RemainingTasks:
    """Read the queues' lists. An id whose task does not exist any more is on none of them.

    Raises redis-py's errors.
    """
    scenario = prepared.scenario
    where = (prepared.client, scenario.wire_layout, list(scenario.queues))
    pending = queue_keys.find(*where, KeyRole.PENDING, prepared.run_id)
    active = queue_keys.find(*where, KeyRole.ACTIVE, prepared.run_id)
    for found in (pending.own, active.own):
        for producer, gone in _without_hash(prepared, found).items():
            found[producer].remove(gone)
    has_own_workers = not scenario.is_observed and not scenario.external_workers
    return RemainingTasks(
        pending.own,
        active.own,
        prepared.marker.is_there(),
        None if prepared.request.allow_shared else pending.others + active.others,
        poppers(prepared.client) if has_own_workers else (),
    )


def completed_gone(prepared: PreparedRun, workers: Sequence[WorkerReport]) -> int:
    """Number of completed tasks that are not in the server any more, though their layout keeps
    them. Raises redis-py's errors."""
    scenario = prepared.scenario
    if not scenario.wire_layout.keeps_completed(scenario.store_results):
        return 0
    completed: dict[int, Bits] = {}
    for report in workers:
        for producer, bits in report.ledger().completed.items():
            completed.setdefault(producer, Bits()).merge(bits)
    return sum(map(len, _without_hash(prepared, completed).values()))


def _without_hash(prepared: PreparedRun, tasks: dict[int, Bits]) -> dict[int, Bits]:
    scenario = prepared.scenario
    return presence.without_hash(
        prepared.client,
        scenario.wire_layout,
        list(scenario.queues),
        prepared.run_id,
        tasks,
        queue_of_tasks(scenario),
    )
