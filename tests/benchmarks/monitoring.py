"""Benchmarks of exported metrics: runs that are scraped once a second, and the same without."""

import contextlib
import http.client
import itertools
import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.benchmarks.arms import Tree
from tests.benchmarks.figures import Figure, Measurement, Record
from tests.benchmarks.runs import generator_cores, milliseconds, worker_cores

_EVERY_S = 1.0
_CPU = re.compile(r"^process_cpu_seconds_total (\S+)$", re.MULTILINE)
_ORDERS = itertools.cycle((False, True))
"""Whether the run that is scraped comes first, so that drift favours neither."""
_RUN = ("default", "--rate", "1000/s", "--duration", "20s")


@dataclass
class Scrapes:
    """What a scraper has seen."""

    texts: list[str] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def cores(self) -> float:
        """Cores of the exporting process between the first and the last scrape."""
        spent = [float(each[1]) for text in self.texts if (each := _CPU.search(text))]
        return (spent[-1] - spent[0]) / ((len(spent) - 1) * _EVERY_S)


@dataclass(frozen=True)
class Pair:
    """A run that was not monitored, one that was, and what was scraped of it."""

    without: Record
    scraped: Record
    scrapes: Scrapes


@contextlib.contextmanager
def _scraping(port: int) -> Iterator[Scrapes]:
    """Scrape once a second meanwhile."""
    found = Scrapes()

    def scrape() -> None:
        while not found.is_over.wait(_EVERY_S):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            with contextlib.closing(connection), contextlib.suppress(OSError):
                connection.request("GET", "/metrics")
                found.texts.append(connection.getresponse().read().decode())

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield found
    finally:
        found.is_over.set()
        thread.join()


def _pair(tree: Tree) -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    is_scraped_first = next(_ORDERS)
    without = None if is_scraped_first else tree.record_of(*_RUN)
    with _scraping(port) as scrapes:
        scraped = tree.record_of(*_RUN, "--metrics", f":{port}")
    return Pair(tree.record_of(*_RUN) if without is None else without, scraped, scrapes)


def _difference(read: Callable[[Record], float]) -> Callable[[Pair], float]:
    """By how much the run that was scraped is above the other one, in percent."""
    return lambda pair: (read(pair.scraped) / read(pair.without) - 1) * 100


def _of(name: str, read: Callable[[Record], float], target: str = "") -> Figure:
    return Figure(name, _difference(read), "+.1f", "%", target, is_compared=False)


_NOISE = "within the noise"
SCRAPED = (
    Measurement(
        _pair,
        [
            _of("scraped once a second, end to end p50", milliseconds("e2e", "p50_s"), _NOISE),
            _of("… p99", milliseconds("e2e", "p99_s"), _NOISE),
            _of("… schedule_lag p99", milliseconds("schedule_lag", "p99_s"), _NOISE),
            _of("… producer's CPU", generator_cores, _NOISE),
            _of("… worker's CPU", worker_cores, _NOISE),
            Figure(
                "… exporting process", lambda pair: pair.scrapes.cores, ".4f", "cores", "≤ 0.02"
            ),
        ],
    ),
)
