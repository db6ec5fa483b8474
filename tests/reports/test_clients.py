"""The clients' table: a golden file, looked at as one who must choose a client would."""

import io

import msgspec
import pytest
from rich.console import Console

from bench.clients.catalogue import CLIENTS, Client
from bench.measure.histogram import Histogram
from bench.records.clients_record import ClientRow, ClientsRecord, Figures, Repetition
from bench.records.summaries import summarise
from bench.reports.clients import print_clients, render
from bench.reports.html.clients_page import section
from bench.reports.html.page import page
from bench.reports.plots.clients import clients_picture
from tests import golden
from tests.records.fixtures import example_record

changed = msgspec.structs.replace

_FIGURES = {
    "redis-cli": (9_812.4, 95, 61.2, 33.05),
    "redis-cli-pipe": (198_123.0, 25_230, 1.91, 3.31),
    "python-seed": (1_634.2, 560, 548.1, 103.7),
    "python-pipelined": (22_410.0, 4_310, 42.6, 7.2),
    "bench": (131_000.0, 2_900, 3.9, 5.6),
    "go-seed": (15_903.3, 58, 49.5, 28.4),
}


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run in, the report is plain text and 100 columns wide."""
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)


def row(client: Client) -> ClientRow:
    reason = "" if client.layout == "runqy" else f"of the {client.layout} layout: run with …"
    if client.toolchain == "node":
        reason = "needs Node.js 18 or newer and npm: apt-get install nodejs npm"
    known = _FIGURES.get(client.name)
    return ClientRow(
        name=client.name,
        does=client.does,
        round_trips=client.round_trips,
        batch=client.batch,
        runs_on="" if known is None else "Example 1.2",
        figures=None if known is None else figures(*known),
        skipped="" if known is not None else reason or "go build failed: no network",
    )


def figures(rate: float, typical_us: int, client_us: float, server_us: float) -> Figures:
    enqueue = Histogram()
    enqueue.record(typical_us, 14_000)
    enqueue.record(typical_us * 5, 1000)
    return Figures(
        tasks_per_s=rate,
        tasks_per_s_low=rate * 0.9,
        tasks_per_s_high=rate * 1.15,
        enqueue=summarise(enqueue),
        client_cpu_us_per_task=client_us,
        server_cpu_us_per_task=server_us,
        repetitions=[Repetition(elapsed_s=5000 / rate, client_cpu_s=0.1, server_cpu_s=0.1)] * 3,
    )


def example() -> ClientsRecord:
    """Five clients that ran, and three that did not."""
    return ClientsRecord(
        started_at="2026-01-15T09:30:00+00:00",
        duration_s=31.5,
        command="bench clients",
        layout="runqy",
        queue="inference_default",
        tasks=5000,
        repeat=3,
        is_complete=True,
        environment=example_record().environment,
        server=example_record().server,
        clients=[row(client) for client in CLIENTS],
    )


def broken() -> ClientsRecord:
    """One wrote something wrong, and the user had no patience."""
    wrong = "task 0a1b: field 'retry': expected '0', found '1'"
    failed = changed(row(CLIENTS[2]), figures=None, failed=wrong)
    late = changed(row(CLIENTS[0]), figures=None, skipped="interrupted before it was done")
    return changed(example(), is_complete=False, repeat=1, clients=[late, failed])


RECORDS = {"measured": example, "broken": broken}


@pytest.mark.parametrize("name", RECORDS)
def test_at_a_terminal(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_clients(RECORDS[name](), None)
    golden.check(f"clients-{name}.txt", capsys.readouterr().out)


@pytest.mark.parametrize("width", [40, 60, 80, 97, 98, 120])
def test_no_figure_is_cut_off(width: int) -> None:
    text = io.StringIO()
    console = Console(width=width, file=text, highlight=False)
    plain = [each for each in example().clients if not each.skipped]
    for part in render(changed(example(), clients=plain), None, width):
        console.print(part)
    assert "…" not in text.getvalue()


@pytest.mark.parametrize("name", RECORDS)
def test_as_a_page(name: str) -> None:
    text = page([section(RECORDS[name]())])
    assert ("FAILED" in text) == (name == "broken")
    assert ("<svg" in text) == (name == "measured")


def test_without_a_figure_there_is_no_picture() -> None:
    assert clients_picture(broken()) is None


def test_the_picture_says_every_name_and_figure() -> None:
    picture = clients_picture(example())
    assert picture is not None
    drawn = picture.file("svg").decode()
    for name in _FIGURES:
        assert f"{name}: " in drawn
    assert "131,000/s · server 5.6 µs, client 3.9 µs" in drawn
