"""What became of every task of a run."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from bench.measure import endings, ledger
from bench.measure.bits import Bits
from bench.measure.endings import CountedEnds, CounterReadings
from bench.measure.ledger import Counts
from bench.names import ALL_QUEUES
from bench.run.collected import CollectedRun
from bench.wire.layout_contract import CounterRules
from bench.workload.mix import queue_of_tasks


@dataclass(frozen=True)
class Account:
    """The counts of a run, and how far the counters of its queues agree with them."""

    by_queue: Mapping[str, Counts]
    """Counts by queue, and of all queues together under ``all``."""
    counter_rules: CounterRules | None = None
    """By whose rules the queues' own counters were read; None if they were not."""
    uncounted: frozenset[str] = frozenset()
    """Counts of which the run has no data, as nobody reports them."""
    counter_excess: int = 0
    """Ends that the counters have beyond the tasks that ended; negative where some are missing."""

    @property
    def total(self) -> Counts:
        """The counts of all queues together."""
        return self.by_queue[ALL_QUEUES]


def account(run: CollectedRun) -> Account:
    """The counts of all tasks. Raises AssertionError if they do not add up."""
    counts = _counts(run)
    rules = _rules(run, counts)
    excess = 0
    if rules is not None:
        late = {} if run.observed is None else run.observed.ended_after_lease
        for queue, counted in run.counted.items():
            resolved = endings.resolve(counts[queue], counted, rules, late.get(queue, 0))
            counts[queue] = resolved.counts
            excess += resolved.excess
    for queue, queue_counts in counts.items():
        problem = ledger.imbalance(queue_counts)
        if problem is not None:
            raise AssertionError(f"the ledger of {queue} does not add up: {problem}")
    is_retry_counted = not run.scenario.is_observed or (rules == "attempts" and not excess)
    return Account(
        {**counts, ALL_QUEUES: ledger.total(counts.values())},
        counter_rules=rules,
        uncounted=frozenset() if is_retry_counted else frozenset(("retried",)),
        counter_excess=excess,
    )


def _counts(run: CollectedRun) -> dict[str, Counts]:
    missed = [report.not_replicated for report in run.producers]
    return {
        queue: msgspec.structs.replace(
            counts, not_replicated=sum(each.get(index, 0) for each in missed)
        )
        for index, (queue, counts) in enumerate(ledger.account(evidence_of(run)).items())
    }


def evidence_of(run: CollectedRun) -> ledger.Evidence:
    """What all processes and the server know about the tasks of the run."""
    return ledger.Evidence(
        queues=list(run.scenario.queues),
        queue_of=queue_of_tasks(run.scenario),
        producers={report.number: report.ledger() for report in run.producers},
        workers=[
            *(report.ledger() for report in run.workers),
            *([] if run.looked_up is None else [run.looked_up.ledger]),
        ],
        pending=_pending(run),
        active=run.remaining.active,
    )


def _rules(run: CollectedRun, counts: Mapping[str, Counts]) -> CounterRules | None:
    """By whose rules the counters are to be read; None where nobody keeps them, or where all
    processes have reported how tasks ended."""
    gained = CounterReadings(CountedEnds(), CountedEnds())
    for each in run.counted.values():
        gained = gained.plus(each)
    choice = run.scenario.counters
    if choice == "none" or gained.last == CountedEnds():
        return None
    if not run.scenario.is_observed:
        return None if run.looked_up is None else run.scenario.wire_layout.counter_rules
    if choice != "auto":
        return choice
    registered = [] if run.observed is None else run.observed.counter_rules
    ended = sum(each.ended for each in counts.values())
    return endings.rules_of(registered, ended, gained)


def _pending(run: CollectedRun) -> Mapping[int, Bits]:
    """Tasks on pending lists, and tasks on no list that wait for their next attempt."""
    found = {number: bits.copy() for number, bits in run.remaining.pending.items()}
    for report in run.workers:
        for number, packed in report.waiting_sets.items():
            found.setdefault(number, Bits()).merge(Bits(packed))
    if run.looked_up is not None:
        for number, waiting in run.looked_up.waiting.items():
            found.setdefault(number, Bits()).merge(waiting)
    return found
