"""Waking greenlets at moments of a clock, with the kernel's timer and with the event loop's."""

import subprocess
import sys

import pytest

# gevent's hub belongs to a process that Locust has patched, and not to the tests.
PROGRAM = """
import sys
import gevent
from bench.clock import RunClock
from bench.locust.alarm import Alarm

clock = RunClock()
alarm = Alarm(clock, is_exact=sys.argv[1] == "exact")
start_us = clock.now_us()
woken = []

def wait(number, after_us):
    alarm.wait_until(start_us + after_us)
    woken.append((number, clock.now_us() - start_us - after_us))

def wait_again(number, times):
    for time in range(1, times + 1):
        wait(number, 700 * time)

{body}
alarm.close()
"""
KINDS = pytest.mark.parametrize("kind", ["exact", "of the loop"])


def run(kind: str, body: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body=body), kind],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@KINDS
def test_greenlets_are_woken_in_the_order_of_their_moments_and_never_early(kind: str) -> None:
    body = """
moments = ((2, 300_000), (0, 0), (3, 300_001), (1, 299_000))
gevent.joinall([gevent.spawn(wait, *moment) for moment in moments])
print([number for number, _ in woken], min(late for _, late in woken) >= 0)
"""
    assert run(kind, body) == "[0, 1, 2, 3] True"


@KINDS
def test_who_waits_again_and_again_takes_no_turn_of_others(kind: str) -> None:
    body = """
gevent.joinall([gevent.spawn(wait_again, number, 50) for number in range(4)])
print(len(woken), [sum(each == number for each, _ in woken) for number in range(4)])
"""
    assert run(kind, body) == "200 [50, 50, 50, 50]"


@KINDS
def test_one_that_is_ended_while_it_waits_keeps_no_other_waiting(kind: str) -> None:
    """Locust ends users whenever it likes: also the one whose moment is the next."""
    body = """
first, second = gevent.spawn(wait, 1, 300_000), gevent.spawn(wait, 2, 301_000)
gevent.sleep(0)
first.kill()
second.join()
print([number for number, _ in woken], alarm._gone, alarm._waiting)
"""
    assert run(kind, body) == "[2] set() []"


def test_the_kernels_timer_is_used_where_there_is_one() -> None:
    """Nothing else would show that it is not: both wake in time for the other tests."""
    expected = "_DescriptorTimer" if sys.platform == "linux" else "_LoopTimer"
    assert run("exact", "print(type(alarm._timer).__name__)") == expected
