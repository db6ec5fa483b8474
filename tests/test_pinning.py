"""Which cores the parts of a run get, as written and as planned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import pinning
from bench.errors import UsageError
from bench.pinning import PinnedParts, Pinning

PARTS = PinnedParts(server=1, producers=2, workers=3)
EIGHT = range(8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server=0,producers=1-2,workers=3-5", Pinning((0,), (1, 2), (3, 4, 5))),
        ("auto", Pinning((0,), (1, 2), (3, 4, 5))),
        ("workers=3,5,7", Pinning(workers=(3, 5, 7))),
        ("workers=1-2,2-3", Pinning(workers=(1, 2, 3))),
        (" producers = 1 , server=1", Pinning(server=(1,), producers=(1,))),
    ],
)
def test_cores_are_read_as_written(text: str, expected: Pinning) -> None:
    assert pinning.read(text, EIGHT, PARTS) == expected
    assert pinning.read(expected.text, EIGHT, PARTS) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("8", "names no part"),
        ("", "names no part"),
        ("server=8", "core 8 cannot be used here: this process may use 0-7"),
        ("server=6-9", "core 8 cannot be used here"),
        ("server=1-0", "the lower one"),
        ("server=", "is no core"),
        ("server=-1", "is no core"),
        ("server=1-", "is no core"),
        ("server=²", "is no core"),
        ("server=0,server=1", "server stands twice"),
        ("redis=0", "'redis' is no part of a run"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pinning.read(text, EIGHT, PARTS)


def test_a_part_that_the_run_does_not_start_cannot_be_pinned() -> None:
    with pytest.raises(UsageError, match="this run starts no server of its own: remove server"):
        pinning.read("server=0", EIGHT, PinnedParts(server=0, producers=1, workers=1))


def test_too_few_cores_are_refused_with_the_number_that_it_takes() -> None:
    with pytest.raises(UsageError) as refused:
        pinning.read("auto", {0, 1, 4, 5}, PARTS)
    assert "the server, 2 producers, 3 workers need 6 cores of their own" in str(refused.value)
    assert "may use 4 (0-1,4-5)" in str(refused.value)


@given(st.sets(st.integers(0, 300), max_size=12), st.integers(0, 1), *[st.integers(0, 4)] * 2)
def test_each_process_gets_a_core_of_its_own_or_nothing_is_pinned(
    usable: set[int], server: int, producers: int, workers: int
) -> None:
    parts = PinnedParts(server, producers, workers)
    if len(usable) < parts.total:
        with pytest.raises(UsageError):
            pinning.automatic(usable, parts)
        return
    found = pinning.automatic(usable, parts)
    given = [
        pinning.of_process(cores, number, count)
        for cores, count in (
            (found.server, server),
            (found.producers, producers),
            (found.workers, workers),
        )
        for number in range(count)
    ]
    assert all(len(cores) == 1 for cores in given)
    assert len({core for cores in given for core in cores}) == parts.total
    assert {core for cores in given for core in cores} <= usable


@pytest.mark.parametrize(
    ("cores", "processes", "expected"),
    [
        ((), 2, [(), ()]),
        ((4, 6), 2, [(4,), (6,)]),
        ((1, 2, 3), 2, [(1, 3), (2,)]),
        ((1, 2), 3, [(1, 2)] * 3),
    ],
)
def test_processes_share_the_cores_of_their_part_only_where_there_are_too_few(
    cores: tuple[int, ...], processes: int, expected: list[tuple[int, ...]]
) -> None:
    assert [pinning.of_process(cores, number, processes) for number in range(processes)] == expected
