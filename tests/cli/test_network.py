"""``bench run --network``: the network that was asked, what it added, and what becomes of it."""

import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from bench.records.run_record import load
from tests.cli.conftest import SHORT_RUN, Bench

pytestmark = pytest.mark.slow


def proxies() -> list[psutil.Process]:
    """The proxies that this process has started."""
    children = psutil.Process().children()
    return [each for each in children if "bench.proxy.process" in " ".join(each.cmdline())]


def test_a_run_through_a_network_tells_what_it_added(bench: Bench) -> None:
    outcome = bench(*SHORT_RUN, "--network", "4ms 10MB/s", "-o", "run.json")
    record = load(Path("run.json"))
    use = record.network
    assert use is not None
    assert use.asked == record.scenario.network
    assert use.added_s is not None
    # Shorter than asked by no more than what the proxy's own cost is known to be wrong by.
    assert use.added_s > 0.0035
    assert use.connections >= 3
    assert (record.latency["enqueue"]["all"].min_s or 0.0) > 0.0035
    assert record.counts.lost == 0
    assert "network: 4ms 10MB/s; before the run a round trip took" in outcome.out
    assert not proxies()


def test_without_a_network_there_is_no_proxy(bench: Bench) -> None:
    bench(*SHORT_RUN, "-o", "run.json")
    assert load(Path("run.json")).network is None


def test_a_proxy_that_is_killed_ends_the_run_and_says_so(bench: Bench) -> None:
    def kill() -> None:
        deadline_s = time.monotonic() + 20
        while time.monotonic() < deadline_s:
            for each in proxies():
                if len(each.net_connections()) > 6:  # producers and workers have connected
                    os.kill(each.pid, signal.SIGKILL)
                    return
            time.sleep(0.01)

    killing = threading.Thread(target=kill)
    killing.start()
    outcome = bench("run", "smoke", "--duration", "30s", "--network", "1ms", "-o", "run.json")
    killing.join()
    assert outcome.code != 0
    assert "Traceback" not in outcome.err
    record = load(Path("run.json"))
    assert record.verdict == "incomplete"
    said = [each.message for each in record.warnings if "bench.proxy" in each.message]
    assert len(said) == 1
    assert said[0].startswith("the run's network (bench.proxy) ended by SIGKILL")


@pytest.mark.parametrize(
    "flags", [["--worker", "external"], ["--external-workers", "--workers", "0"]]
)
def test_workers_that_would_not_go_through_the_network_are_refused(
    bench: Bench, url: str, flags: list[str]
) -> None:
    outcome = bench(*SHORT_RUN, "--redis-url", url, "--network", "1ms", *flags)
    assert outcome.code == 2
    assert "network: workers that the run does not start connect to the server" in outcome.err
