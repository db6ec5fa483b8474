"""Locust's web page in a real browser: our tab fills, a second test begins anew, no secret shows.

Needs a Chromium (Debian: chromium); without one these tests are skipped, unless the environment
variable BENCH_REQUIRE_BROWSER says that there should be one.
"""

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, Request, sync_playwright

from bench.records import run_record
from bench.redisio.embedded import EmbeddedServer
from tests.locust.conftest import LocustProcess, Start

pytestmark = pytest.mark.slow

WORD = "sesame-open"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def page() -> Iterator[Page]:
    if CHROMIUM is None:
        if os.environ.get("BENCH_REQUIRE_BROWSER"):
            pytest.fail("BENCH_REQUIRE_BROWSER is set, and there is no chromium")
        pytest.skip("needs chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()


@pytest.fixture
def locust(start: Start, embedded: EmbeddedServer, free_port: int) -> Iterator[LocustProcess]:
    """With a page, and a password in the URL."""
    with closing(redis.Redis.from_url(embedded.url)) as opened:
        client: Any = opened
        client.config_set("requirepass", WORD)
    url = f"redis://:{WORD}@127.0.0.1:{embedded.port}/0"
    where = ("--web-host", "127.0.0.1", "--web-port", str(free_port))
    process = start(*where, "--start-worker", "--redis-url", url, "--rate", "200/s")
    process.url = f"http://127.0.0.1:{free_port}/"
    wait_until(lambda: is_listening(free_port))
    yield process
    process.kill()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


def cell(page: Page, what: str) -> str:
    """The value beside a word in our tab."""
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name=what, exact=True))
    return row.first.get_by_role("cell").nth(2).inner_text() if row.count() else ""


def await_cell(page: Page, what: str, holds: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + 40
    while not holds(value := cell(page, what)):
        assert time.monotonic() < deadline, f"{what} is still {value!r}"
        page.wait_for_timeout(100)
    return value


def tasks_in_tab(page: Page) -> int:
    row = page.get_by_role("row").filter(has=page.get_by_role("cell", name="e2e", exact=True))
    texts = [row.nth(at).get_by_role("cell").nth(2).inner_text() for at in range(row.count())]
    return sum(int(text.split()[0].replace(",", "")) for text in texts)


def await_tasks(page: Page, least: int) -> None:
    deadline = time.monotonic() + 40
    while tasks_in_tab(page) < least:
        assert time.monotonic() < deadline, "no tasks turned up in the tab"
        page.wait_for_timeout(100)


def records(folder: Path) -> list[Path]:
    return sorted(folder.glob("results/*.json"))


def test_the_page_from_the_form_to_the_verdict_and_once_more(
    page: Page, locust: LocustProcess, tmp_path: Path
) -> None:
    """Start from the form, the tab fills, stop, start again: nothing is carried over."""
    seen: list[str] = []

    def note(request: Request) -> None:
        seen.append(f"{request.url} {request.post_data or ''}")

    page.on("request", note)
    page.goto(locust.url)
    page.get_by_label("Number of users").fill("4")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("tab", name="Queue").click()
    assert await_cell(page, "Verdict", lambda text: text.startswith("not yet: enqueueing"))
    await_cell(page, "Finished", lambda text: text.startswith(("20", "19")))
    await_tasks(page, 400)
    page.get_by_role("button", name="Stop").click()
    assert await_cell(page, "Verdict", lambda text: not text.startswith("not yet"))
    (first,) = records(tmp_path)
    assert run_record.load(first).counts.completed == tasks_in_tab(page)
    assert await_cell(page, "Record", bool) == str(first.relative_to(tmp_path))

    page.get_by_role("button", name="New").click()
    page.get_by_role("button", name="Start").click()
    await_cell(page, "Verdict", lambda text: text.startswith("not yet: enqueueing"))
    await_tasks(page, 1)
    page.get_by_role("button", name="Stop").click()
    await_cell(page, "Verdict", lambda text: not text.startswith("not yet"))
    second = run_record.load(records(tmp_path)[-1])
    assert len(records(tmp_path)) == 2
    assert second.id != run_record.load(first).id
    assert second.counts.completed == second.counts.due == tasks_in_tab(page)

    for tab in ("Statistics", "Failures", "Logs", "Download Data"):
        page.get_by_role("tab", name=tab).click()
        assert WORD not in page.content()
    seen.append(page.evaluate("JSON.stringify(window.templateArgs ?? {})"))
    paths = ("", "stats/requests", "stats/report", "exceptions", "tasks", "logs")
    seen += [page.request.get(locust.url + path).text() for path in paths]
    assert WORD not in "\n".join(seen)
