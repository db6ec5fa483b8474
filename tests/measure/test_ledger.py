"""Every task accounted for, from whatever the sides have to say."""

from collections.abc import Iterable, Mapping

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Integers
from bench.measure import ledger
from bench.measure.bits import Bits
from bench.measure.ledger import (
    Counts,
    Evidence,
    ProducerLedger,
    WorkerLedger,
    account,
    imbalance,
    total,
)

QUEUES = ("inference_high", "inference_default", "inference_low")


def bits(numbers: Iterable[int]) -> Bits:
    made = Bits()
    made.add(np.array(sorted(set(numbers)), np.int64))
    return made


def array(numbers: Iterable[int]) -> Integers:
    return np.array(list(numbers), np.int64)


def in_turn(producer: int, sequences: Integers) -> Integers:
    """The queue of each task: dealt in turn, another first one for each producer."""
    return (sequences + producer) % len(QUEUES)


def producer(
    due: int,
    sent: int | None = None,
    acknowledged: Iterable[int] | None = None,
    refused: Iterable[int] = (),
) -> ProducerLedger:
    """One whose tasks were all sent and all acknowledged, unless said otherwise."""
    sent = due if sent is None else sent
    acknowledged = range(sent) if acknowledged is None else acknowledged
    return ProducerLedger(due, sent, bits(acknowledged), bits(refused))


def worker(
    completed: Mapping[int, Iterable[int]] | None = None,
    archived: Mapping[int, Iterable[int]] | None = None,
) -> WorkerLedger:
    made = WorkerLedger()
    for number, sequences in (completed or {}).items():
        made.complete(QUEUES[0], number, array(sequences))
    for number, sequences in (archived or {}).items():
        made.archive(QUEUES[0], number, array(sequences))
    return made


def counts_of(
    *workers: WorkerLedger,
    producers: Mapping[int, ProducerLedger],
    pending: Mapping[int, Iterable[int]] | None = None,
    active: Mapping[int, Iterable[int]] | None = None,
) -> Counts:
    """All queues together; that each one adds up is checked on the way."""
    counts = account(
        Evidence(
            queues=QUEUES,
            queue_of=in_turn,
            producers=producers,
            workers=workers,
            pending={number: bits(each) for number, each in (pending or {}).items()},
            active={number: bits(each) for number, each in (active or {}).items()},
        )
    )
    assert [imbalance(each) for each in counts.values()] == [None] * len(QUEUES)
    return total(counts.values())


def test_a_run_in_which_all_went_well() -> None:
    counts = counts_of(worker({0: range(10)}), producers={0: producer(10)})
    assert counts == Counts(due=10, enqueued=10, completed=10)


@pytest.mark.parametrize("lost", [[], [0], [9], [3, 4], list(range(10))])
def test_what_was_acknowledged_and_is_nowhere_is_lost(lost: list[int]) -> None:
    done = set(range(10)) - set(lost)
    counts = counts_of(worker({0: done}), producers={0: producer(10)})
    assert counts == Counts(due=10, enqueued=10, completed=10 - len(lost), lost=len(lost))


@pytest.mark.parametrize("again", [[], [0], [9], [3, 4], list(range(10))])
def test_what_one_worker_finished_twice_is_duplicated(again: list[int]) -> None:
    one = worker({0: range(10)})
    repeats = one.complete(QUEUES[1], 0, array(again))
    assert repeats.tolist() == again
    counts = counts_of(one, producers={0: producer(10)})
    assert counts == Counts(due=10, enqueued=10, completed=10, duplicated=len(again))


@pytest.mark.parametrize("again", [[], [0], [9], [3, 4], list(range(10))])
def test_what_two_workers_finished_is_duplicated(again: list[int]) -> None:
    first, second = worker({0: range(10)}), worker({0: again})
    counts = counts_of(first, second, producers={0: producer(10)})
    assert counts == Counts(due=10, enqueued=10, completed=10, duplicated=len(again))


def test_every_finish_beyond_the_first_counts() -> None:
    """Twice by one worker and once by each of two others: three too many."""
    one = worker({0: [5]})
    one.complete(QUEUES[0], 0, array([5]))
    counts = counts_of(one, worker({0: [5]}), worker({0: [5]}), producers={0: producer(6)})
    assert counts == Counts(due=6, enqueued=6, completed=1, lost=5, duplicated=3)


def test_what_was_completed_and_archived_is_completed_and_duplicated() -> None:
    counts = counts_of(worker({0: [0]}), worker(archived={0: [0]}), producers={0: producer(1)})
    assert counts == Counts(due=1, enqueued=1, completed=1, duplicated=1)


def test_what_was_archived_has_failed() -> None:
    counts = counts_of(worker({0: [0, 1]}, {0: [2]}), producers={0: producer(3)})
    assert counts == Counts(due=3, enqueued=3, completed=2, failed=1)


def test_what_is_gone_has_ended_in_a_way_that_is_not_known_unless_somebody_saw_it() -> None:
    one = worker({0: [0]}, {0: [1]})
    one.note_gone(0, array([0, 1, 2]))
    counts = counts_of(one, producers={0: producer(4)}, pending={0: [2, 3]})
    assert counts == Counts(due=4, enqueued=4, completed=1, failed=1, outcome_unknown=1, pending=1)


def test_what_was_archived_twice_is_duplicated() -> None:
    one = worker(archived={0: [2]})
    one.archive(QUEUES[2], 0, array([2]))
    counts = counts_of(one, producers={0: producer(3)}, pending={0: [0, 1]})
    assert counts == Counts(due=3, enqueued=3, failed=1, pending=2, duplicated=1)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, Counts(due=4, enqueued=2, completed=2, unknown=2)),
        ({"completed": [2]}, Counts(due=4, enqueued=3, completed=3, unknown=1)),
        ({"archived": [3]}, Counts(due=4, enqueued=3, completed=2, failed=1, unknown=1)),
        ({"pending": [2]}, Counts(due=4, enqueued=3, completed=2, pending=1, unknown=1)),
        ({"active": [2, 3]}, Counts(due=4, enqueued=4, completed=2, active=2)),
    ],
)
def test_what_was_never_answered_is_unknown_only_as_long_as_nobody_saw_it(
    seen: dict[str, list[int]], expected: Counts
) -> None:
    counts = counts_of(
        worker({0: [0, 1, *seen.get("completed", [])]}, {0: seen.get("archived", [])}),
        producers={0: producer(4, acknowledged=[0, 1])},
        pending={0: seen.get("pending", [])},
        active={0: seen.get("active", [])},
    )
    assert counts == expected


def test_what_the_server_refused_was_not_sent() -> None:
    counts = counts_of(
        worker({0: [0, 1]}), producers={0: producer(4, acknowledged=[0, 1], refused=[2, 3])}
    )
    assert counts == Counts(due=4, enqueued=2, completed=2, not_sent=2, refused=2)


def test_what_was_refused_and_was_worked_on_all_the_same_was_enqueued() -> None:
    """One command of a task may fail and the others succeed."""
    counts = counts_of(
        worker({0: [0, 1]}),
        producers={0: producer(3, acknowledged=[0], refused=[1, 2])},
        active={0: [2]},
    )
    assert counts == Counts(due=3, enqueued=3, completed=2, active=1)


def test_an_id_on_the_list_of_a_task_that_was_refused_is_no_pending_task() -> None:
    """Its hash was refused, and the id alone is nothing that a worker could work on."""
    counts = counts_of(
        producers={0: producer(2, acknowledged=[0], refused=[1])},
        pending={0: [0, 1]},
    )
    assert counts == Counts(due=2, enqueued=1, pending=1, not_sent=1, refused=1)


@pytest.mark.parametrize("sent", [0, 1, 5, 6])
def test_what_was_due_and_never_left_was_not_sent(sent: int) -> None:
    counts = counts_of(worker({0: range(sent)}), producers={0: producer(6, sent=sent)})
    assert counts == Counts(due=6, enqueued=sent, completed=sent, not_sent=6 - sent)


@pytest.mark.parametrize(
    ("pending", "active", "expected"),
    [
        ([1], [], Counts(due=2, enqueued=2, completed=1, pending=1)),
        ([], [1], Counts(due=2, enqueued=2, completed=1, active=1)),
        ([1], [1], Counts(due=2, enqueued=2, completed=1, active=1)),
        ([0, 1], [], Counts(due=2, enqueued=2, completed=1, pending=1)),
        ([], [0, 1], Counts(due=2, enqueued=2, completed=1, active=1)),
    ],
)
def test_what_is_in_a_list_at_the_end_is_pending_or_active(
    pending: list[int], active: list[int], expected: Counts
) -> None:
    """In both lists it is active; and what was finished before is finished."""
    counts = counts_of(
        worker({0: [0]}), producers={0: producer(2)}, pending={0: pending}, active={0: active}
    )
    assert counts == expected


def test_each_task_counts_for_its_own_queue() -> None:
    one = WorkerLedger()
    one.complete("inference_high", 7, array([2, 5]))
    one.complete("inference_low", 7, array([1]))
    one.retry("inference_low", 3)
    one.retry("inference_low", 2)
    one.count_repeats("inference_high", 4)
    counts = account(Evidence(QUEUES, in_turn, {7: producer(6)}, [one], {7: bits([0])}, {}))
    assert list(counts) == list(QUEUES)
    # Producer 7's tasks 0, 1, 2, … go to queues 1, 2, 0, …
    assert counts == {
        "inference_high": Counts(due=2, enqueued=2, completed=2, duplicated=4),
        "inference_default": Counts(due=2, enqueued=2, pending=1, lost=1),
        "inference_low": Counts(due=2, enqueued=2, completed=1, retried=5, lost=1),
    }


def test_producers_are_told_apart() -> None:
    """The same sequence number of two producers is two tasks."""
    counts = counts_of(
        worker({0: [0, 1], 1: [2]}),
        producers={0: producer(3), 1: producer(3), 2: producer(1)},
        pending={1: [0, 1]},
        active={2: [0]},
    )
    assert counts == Counts(due=7, enqueued=7, completed=3, pending=2, active=1, lost=1)


def test_a_task_that_no_producer_of_the_run_made_does_not_count() -> None:
    counts = counts_of(worker({0: [0, 99], 5: [1]}), producers={0: producer(1)}, pending={9: [1]})
    assert counts == Counts(due=1, enqueued=1, completed=1)


def test_a_long_run_is_accounted_for_in_pieces_without_a_seam() -> None:
    due = ledger._CHUNK + 5
    lost = {0, ledger._CHUNK - 1, ledger._CHUNK, due - 1}
    done = Bits()
    done.add_range(1, ledger._CHUNK - 1)
    done.add_range(ledger._CHUNK + 1, due - 1)
    acknowledged = Bits()
    acknowledged.add_range(0, due)
    counts = counts_of(
        WorkerLedger(completed={0: done}), producers={0: ProducerLedger(due, due, acknowledged)}
    )
    assert counts == Counts(due=due, enqueued=due, completed=due - len(lost), lost=len(lost))


SOME = st.frozensets(st.integers(0, 13), max_size=10)
BY_PRODUCER = st.dictionaries(st.integers(0, 2), SOME, max_size=3)
PRODUCERS = st.dictionaries(
    st.integers(0, 2),
    st.builds(
        lambda due, share, acknowledged, refused: producer(
            due, round(due * share), acknowledged, refused
        ),
        st.integers(0, 12),
        st.floats(0, 1),
        SOME,
        SOME,
    ),
    max_size=3,
)


@st.composite
def evidence(draw: st.DrawFn) -> Evidence:
    """Anything that the sides may claim, whether or not it goes together."""
    workers = []
    for _ in range(draw(st.integers(0, 3))):
        each = WorkerLedger()
        for queue, number, sequences in draw(
            st.lists(st.tuples(st.sampled_from(QUEUES), st.integers(0, 2), SOME), max_size=3)
        ):
            each.complete(queue, number, array(sequences))
        for number, sequences in draw(BY_PRODUCER).items():
            each.archive(draw(st.sampled_from(QUEUES)), number, array(sequences))
        for number, sequences in draw(BY_PRODUCER).items():
            each.note_gone(number, array(sequences))
        each.retry(draw(st.sampled_from(QUEUES)), draw(st.integers(0, 5)))
        workers.append(each)
    return Evidence(
        queues=QUEUES,
        queue_of=in_turn,
        producers=draw(PRODUCERS),
        workers=workers,
        pending={number: bits(each) for number, each in draw(BY_PRODUCER).items()},
        active={number: bits(each) for number, each in draw(BY_PRODUCER).items()},
    )


@given(evidence())
def test_both_equations_hold_whatever_the_sides_claim(given_: Evidence) -> None:
    """For each queue and for all together; and no count is below zero."""
    counts = account(given_)
    for each in (*counts.values(), total(counts.values())):
        assert each.due == each.enqueued + each.unknown + each.not_sent
        assert each.enqueued == (
            each.completed
            + each.failed
            + each.outcome_unknown
            + each.pending
            + each.active
            + each.lost
        )
        assert min(msgspec.structs.astuple(each)) >= 0
        assert each.refused <= each.not_sent


@given(evidence())
def test_the_queues_add_up_to_the_tasks_that_were_due(given_: Evidence) -> None:
    counts = account(given_)
    together = total(counts.values())
    assert together.due == sum(each.due for each in given_.producers.values())
    for name in Counts.__struct_fields__:
        assert getattr(together, name) == sum(getattr(each, name) for each in counts.values())


@given(evidence())
def test_a_task_is_completed_exactly_when_some_worker_completed_it(given_: Evidence) -> None:
    """So that nothing on the side of the producers or the lists can hide a completion."""
    done = {
        (number, sequence)
        for each in given_.workers
        for number, completed in each.completed.items()
        if number in given_.producers
        for sequence in np.flatnonzero(completed.flags(0, given_.producers[number].due)).tolist()
    }
    assert total(account(given_).values()).completed == len(done)


BALANCED = Counts(
    due=10,
    enqueued=7,
    completed=1,
    failed=1,
    outcome_unknown=1,
    pending=1,
    active=1,
    lost=2,
    unknown=2,
    not_sent=1,
)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"retried": 5, "duplicated": 5, "refused": 1}, None),
        ({"due": 11}, "due 11 is not enqueued + unknown + not sent"),
        ({"unknown": 3}, "due 10 is not enqueued + unknown + not sent"),
        ({"not_sent": 2}, "due 10 is not enqueued + unknown + not sent"),
        *(
            (
                {name: 5},
                "enqueued 7 is not completed + failed + outcome unknown + pending + active + lost",
            )
            for name in ("completed", "failed", "outcome_unknown", "pending", "active", "lost")
        ),
    ],
)
def test_what_does_not_add_up_is_said(change: dict[str, int], problem: str | None) -> None:
    assert imbalance(msgspec.structs.replace(BALANCED, **change)) == problem


COUNTS = st.builds(Counts, **dict.fromkeys(Counts.__struct_fields__, st.integers(0, 10**9)))


@given(COUNTS, COUNTS)
def test_counts_are_added_up_name_by_name(first: Counts, second: Counts) -> None:
    together = msgspec.structs.astuple(first.plus(second))
    parts = zip(msgspec.structs.astuple(first), msgspec.structs.astuple(second), strict=True)
    assert together == tuple(one + other for one, other in parts)


def test_no_queues_together_are_no_tasks() -> None:
    assert total([]) == Counts()
