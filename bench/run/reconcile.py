"""What became of the tasks of processes that died, by what is left of them: their progress on the
board, and every task in Redis, by id."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from bench.arrays import Flags, Integers, Objects
from bench.ipc.progress_board import ProgressBoard
from bench.measure.bits import Bits
from bench.measure.ledger import Counts, WorkerLedger
from bench.measure.recorder import BIN_US
from bench.measure.reports import ProducerReport, WorkerReport
from bench.observer.sampling import id_of
from bench.observer.task_queries import Queries
from bench.wire.layout_contract import STATE_ACTIVE, STATE_RETRY, TaskOutcome
from bench.workload.feed import due_by
from bench.workload.mix import queue_of_tasks
from bench.workload.scenario import Scenario

_CHUNK = 2_000
"""Tasks in one query, at most."""

ByProducer = Mapping[int, Bits]
"""Sequence numbers of tasks, by producer."""


@dataclass(frozen=True)
class Died:
    """A producer that ended without a final report, and what there is of it."""

    number: int
    report: ProducerReport | None
    """Its newest report; None before the first."""
    board: ProgressBoard | None
    """None where it noted no progress, as on another host."""
    largest_found: int
    """The largest sequence number of a task of its that is in Redis; -1 if none is."""


def restored(died: Died, scenario: Scenario, offset_us: int, start_us: int) -> ProducerReport:
    """What the final report of a producer would have said, as far as that is known.

    ``offset_us`` is the time since the run's start up to which tasks were due.
    """
    number, board = died.number, died.board
    report = died.report or ProducerReport(number=number)
    sent = max(report.sent, died.largest_found + 1)
    acknowledged = Bits()
    if board is not None:
        sent = max(sent, board.sent(number))
        before = np.arange(board.answered_before(number))
        excluded = np.fromiter(board.excluded(number), np.int64)
        acknowledged.add(np.setdiff1d(before, excluded))
    due = sent if scenario.is_closed_loop else max(sent, due_by(scenario, number, offset_us))
    return msgspec.structs.replace(
        report,
        due=due,
        sent=sent,
        enqueued=max(report.enqueued, len(acknowledged)),
        acknowledged=acknowledged.pack(),
        finished_us=start_us + BIN_US * len(report.enqueued_by_bin),
    )


@dataclass
class ReconciledTasks:
    """What Redis holds of tasks of which no process has said how they ended."""

    ledger: WorkerLedger = field(default_factory=WorkerLedger)
    waiting: dict[int, Bits] = field(default_factory=dict)
    """Tasks on no list that wait for their next attempt, or that a worker holds, by producer."""
    counts: Counts = field(default_factory=Counts)
    """How many of them have ended, and how."""
    is_complete: bool = True
    """Whether every such task could be looked up."""


def look_up(
    queries: Queries,
    scenario: Scenario,
    run: int,
    producers: Sequence[ProducerReport],
    known: Sequence[ByProducer],
    on_chunk: Callable[[], object],
) -> ReconciledTasks:
    """Looks up every task that was sent and is in none of the ``known`` sets.

    A task whose hash is gone has ended if the server acknowledged it, unless the run's own workers
    keep what they have completed: then it is lost. One that is active and on no
    list has left its worker and was never marked as ended: how it ended is not known either; but if
    its worker goes on after the run, that may still have it. ``on_chunk`` is called now and then.
    Raises ConnectionLost and MeasurementError.
    """
    workers_go_on = scenario.is_observed and scenario.worker_command is None
    layout = scenario.wire_layout
    may_be_deleted = scenario.is_observed or not layout.keeps_completed(scenario.store_results)
    found = ReconciledTasks()
    queue_of = queue_of_tasks(scenario)
    queues = list(scenario.queues)
    for report in producers:
        acknowledged = Bits(report.acknowledged)
        for sequences in _unknown(report, known):
            for queue, own in _by_queue(queues, sequences, queue_of(report.number, sequences)):
                names = {queue: [id_of(run, report.number, each) for each in own.tolist()]}
                outcomes = np.array(queries.settled(names), object)
                is_open = outcomes == None  # noqa: E711 - element by element
                states = np.full(len(own), "", object)
                if is_open.any():
                    states[:] = queries.states(names)
                acked = acknowledged.flags(int(own[0]), int(own[-1]) + 1)[own - own[0]]
                acked &= may_be_deleted
                _settle(found, report.number, queue, own, outcomes, states, acked, workers_go_on)
            on_chunk()
    return found


def _unknown(report: ProducerReport, known: Sequence[ByProducer]) -> Iterator[Integers]:
    """Sequence numbers (n,) of sent tasks that no set has, in chunks."""
    seen = Bits()
    for by_producer in known:
        seen.merge(by_producer.get(report.number, Bits()))
    for start in range(0, report.sent, _CHUNK):
        stop = min(start + _CHUNK, report.sent)
        sequences = start + np.flatnonzero(~seen.flags(start, stop))
        if len(sequences):
            yield sequences


def _by_queue(
    queues: Sequence[str], sequences: Integers, indices: Integers
) -> Iterator[tuple[str, Integers]]:
    for index in np.unique(indices).tolist():
        yield queues[index], sequences[indices == index]


def _settle(
    found: ReconciledTasks,
    producer: int,
    queue: str,
    sequences: Integers,
    outcomes: Objects,
    states: Objects,
    may_have_ended: Flags,
    workers_go_on: bool,
) -> None:
    """Record tasks (n,) of one producer and queue by what was found of each.

    ``may_have_ended`` (n,): whether they have, if they are gone.
    """
    completed = sequences[outcomes == TaskOutcome.COMPLETED]
    archived = sequences[outcomes == TaskOutcome.ARCHIVED]
    gone = (outcomes == TaskOutcome.GONE) & may_have_ended
    waiting = states == STATE_RETRY
    if workers_go_on:
        waiting |= states == STATE_ACTIVE
    else:
        gone |= states == STATE_ACTIVE
    found.ledger.complete(queue, producer, completed)
    found.ledger.archive(queue, producer, archived)
    found.ledger.note_gone(producer, sequences[gone])
    found.waiting.setdefault(producer, Bits()).add(sequences[waiting])
    found.counts = found.counts.plus(
        Counts(completed=len(completed), failed=len(archived), outcome_unknown=int(gone.sum()))
    )


def known_sets(
    workers: Sequence[WorkerReport], pending: ByProducer, active: ByProducer
) -> list[ByProducer]:
    """The tasks of which something is known: from workers that reported, and from the lists."""
    ledgers = [report.ledger() for report in workers]
    return [
        *(sets for each in ledgers for sets in (each.completed, each.archived, each.gone)),
        pending,
        active,
    ]
