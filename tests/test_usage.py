"""What a process itself uses."""

from bench.usage import (
    SINGLE_THREADED,
    ProcessUsage,
    limits_of_threads,
    peak_memory_bytes,
    without_limits,
)


def test_a_new_measurement_begins_at_nothing_and_only_grows() -> None:
    usage = ProcessUsage()
    first, text = usage.cpu_s(), 0
    while usage.cpu_s() == first:  # until the clock of CPU time moves
        text += len(str(text))
    assert 0 <= first < usage.cpu_s()
    assert usage.elapsed_s() > 0


def test_two_measurements_are_of_their_own_times() -> None:
    earlier = ProcessUsage()
    while earlier.elapsed_s() == 0:
        pass
    later = ProcessUsage()
    assert later.elapsed_s() <= earlier.elapsed_s()
    assert later.cpu_s() <= earlier.cpu_s()


def test_memory_that_was_used_shows_in_the_peak() -> None:
    """In bytes: the system counts in kilobytes."""
    size = 64 * 1024 * 1024
    before = peak_memory_bytes()
    held = bytearray(b"x") * size
    during = peak_memory_bytes()
    del held
    assert during >= size
    assert peak_memory_bytes() >= during >= before


def test_limits_of_threads_are_added_and_taken_away_again_through_any_number_of_processes() -> None:
    """What the user has set is neither replaced nor taken away."""
    user = {"PATH": "/bin", "OMP_NUM_THREADS": "4"}
    first = {**user, **limits_of_threads(user)}
    second = {**first, **limits_of_threads(first)}
    assert {name: second[name] for name in SINGLE_THREADED} == {
        **SINGLE_THREADED,
        "OMP_NUM_THREADS": "4",
    }
    assert without_limits(first) == without_limits(second) == user
    assert without_limits({**user, "BENCH_SINGLE_THREADED": "PATH"}) == user
