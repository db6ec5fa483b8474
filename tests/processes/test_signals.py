"""Which signals ask for the end, and how often."""

import signal
import time
from collections.abc import Iterator

import pytest

from bench.processes.signals import EndRequests, ending_signals


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """The handlers of this process are as before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_every_usual_way_to_end_a_process_is_one() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    usual = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}
    assert usual | {signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM} <= set(ending_signals())


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.SIGHUP not in ending_signals()
    assert signal.SIGTERM in ending_signals()


def test_signals_that_come_together_are_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    moments_s = iter([10.0, 10.001, 10.4, 11.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(moments_s))
    requests = EndRequests()
    assert [requests.note() for _ in range(4)] == [True, False, False, True]
    assert requests.count == 2
