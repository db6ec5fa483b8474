"""What became of every task of a run."""

from collections.abc import Mapping

from bench.arrays import Integers
from bench.measure import ledger
from bench.measure.bits import Bits
from bench.measure.ledger import Counts
from bench.run.collected import CollectedRun
from bench.workload.mix import Mix


def account(run: CollectedRun) -> dict[str, Counts]:
    """Counts by queue, and of all queues together under ``all``."""
    mix = Mix(list(run.scenario.queues.values()), run.scenario.seed)

    def queue_of(producer: int, sequences: Integers) -> Integers:
        return mix.queue_of(sequences * run.scenario.producers + producer)

    counts = ledger.account(
        ledger.Evidence(
            queues=list(run.scenario.queues),
            queue_of=queue_of,
            producers={report.number: report.ledger() for report in run.producers},
            workers=[report.ledger() for report in run.workers],
            pending=_pending(run),
            active=run.active,
        )
    )
    for queue, queue_counts in counts.items():
        problem = ledger.imbalance(queue_counts)
        if problem is not None:
            raise AssertionError(f"the ledger of {queue} does not add up: {problem}")
    return {**counts, "all": ledger.total(counts.values())}


def _pending(run: CollectedRun) -> Mapping[int, Bits]:
    """Tasks on pending lists, and tasks on no list that wait for their next attempt."""
    found = {number: bits.copy() for number, bits in run.pending.items()}
    for report in run.workers:
        for number, packed in report.waiting_sets.items():
            found.setdefault(number, Bits()).merge(Bits(packed))
    return found
