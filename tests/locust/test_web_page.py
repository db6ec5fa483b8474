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

from bench.layouts.runqy.layout import RUNQY
from bench.records import run_record
from bench.redisio.embedded import EmbeddedServer
from tests.locust.conftest import LocustProcess, Start
from tests.waiting import await_that

pytestmark = pytest.mark.slow

WORD = "sesame-open"
WRONG_FIELDS = (
    ("rate", "abc", "rate: 'abc' is not a rate"),
    ("queues", "a=b", "the weight of 'a' is not a number"),
    ("slo", "fast", "'fast' is not an objective"),
    ("scenario", "defalt", "no scenario 'defalt'"),
    ("payloadFile", "none.jsonl", "none.jsonl"),
)
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
    load = ("--start-worker", "--rate", "200/s", "--slo", "e2e.p99 < 9s")
    process = start(*where, *load, "--redis-url", url)
    process.url = f"http://127.0.0.1:{free_port}/"
    await_that(lambda: is_listening(free_port))
    yield process
    process.kill()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def verdict(page: Page) -> str:
    """The verdict in our tab, with the phase of a test that is not over."""
    shown = page.locator("#queue-tab .verdict")
    return shown.inner_text().removeprefix("Verdict: ") if shown.count() else ""


def await_text(page: Page, read: Callable[[], str], holds: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + 40
    while not holds(value := read()):
        assert time.monotonic() < deadline, f"it is still {value!r}"
        page.wait_for_timeout(100)
    return value


def await_verdict(page: Page, holds: Callable[[str], bool]) -> str:
    return await_text(page, lambda: verdict(page), holds)


def is_enqueueing(shown: str) -> bool:
    return shown.startswith("not yet") and "enqueueing" in shown


def is_over(shown: str) -> bool:
    return bool(shown) and not shown.startswith("not yet")


def points_drawn(page: Page) -> list[int]:
    """Points in each chart of our tab, as the page has them from the test's process."""
    charts = page.request.get(f"{page.url.split('?')[0]}queue-tab/live").json()["charts"]
    assert page.locator("#queue-tab .chart canvas").count() == len(charts)
    return [len(each["times_s"]) for each in charts]


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
    """Start from the form, the tab fills, stop, start again: nothing is carried over, no password
    is shown, and nothing comes from another host."""
    seen: list[str] = []

    def note(request: Request) -> None:
        seen.append(f"{request.url} {request.post_data or ''}")

    page.on("request", note)
    page.goto(locust.url)
    page.get_by_label("Number of users").fill("4")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("tab", name="Queue").click()
    await_verdict(page, is_enqueueing)
    await_tasks(page, 400)
    before = points_drawn(page)
    await_tasks(page, 800)
    assert [now > then for now, then in zip(points_drawn(page), before, strict=True)] == [True] * 3
    assert "met so far" in page.locator("#queue-tab .objective").inner_text()
    page.get_by_role("button", name="Stop").click()
    await_verdict(page, is_over)
    (first,) = records(tmp_path)
    assert run_record.load(first).counts.completed == tasks_in_tab(page)
    assert page.locator("#queue-tab .record code").inner_text() == str(first.relative_to(tmp_path))
    assert page.locator("#queue-tab .objective strong").inner_text() == "met"
    saved = tmp_path / "downloaded.json"
    with page.expect_download() as download:
        page.get_by_text("download the record", exact=True).click()
    download.value.save_as(saved)
    assert run_record.load(saved) == run_record.load(first)
    report = page.request.get(f"{locust.url}queue-tab/report.html").text()
    assert run_record.load(first).id in report

    page.get_by_role("button", name="New").click()
    page.get_by_role("button", name="Start").click()
    await_verdict(page, is_enqueueing)
    await_tasks(page, 1)
    page.get_by_role("button", name="Stop").click()
    await_verdict(page, is_over)
    second = run_record.load(records(tmp_path)[-1])
    assert len(records(tmp_path)) == 2
    assert second.id != run_record.load(first).id
    assert second.counts.completed == second.counts.due == tasks_in_tab(page)

    for tab in ("Statistics", "Failures", "Logs", "Download Data"):
        page.get_by_role("tab", name=tab).click()
        assert WORD not in page.content()
    seen.append(page.evaluate("JSON.stringify(window.templateArgs ?? {})"))
    paths = ("", "stats/requests", "stats/report", "exceptions", "tasks", "logs", "queue-tab/live")
    seen += [page.request.get(locust.url + path).text() for path in (*paths, "queue-tab/tab.js")]
    assert WORD not in "\n".join([*seen, report])
    assert [url for url in seen if url.startswith("http") and not url.startswith(locust.url)] == []


def test_what_the_form_cannot_start_is_said_beside_it(
    page: Page, locust: LocustProcess, embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """For each field in turn: one line, no test, and the form is still there. What is right can be
    started afterwards, with the choices and the defaults that the form shows."""
    page.goto(locust.url)
    page.get_by_text("Custom parameters").click()
    assert page.locator("select[name=layout]").input_value() == "runqy"
    assert page.locator("select[name=arrivals]").input_value() == "constant"
    for name, wrong, said in WRONG_FIELDS:
        field = page.locator(f"input[name={name}]")
        right = field.input_value()
        field.fill(wrong)
        page.get_by_role("button", name="Start").click()
        alert = page.get_by_role("alert").filter(has_text=said)
        alert.wait_for(timeout=20_000)
        assert "\n" not in alert.inner_text()
        assert page.get_by_role("button", name="Start").is_enabled()
        field.fill(right)
    assert records(tmp_path) == []
    page.locator("input[name=scenario]").fill("smoke")
    page.locator("select[name=arrivals]").select_option("poisson")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("tab", name="Queue").click()
    await_verdict(page, is_enqueueing)
    page.get_by_role("button", name="Stop").click()
    await_verdict(page, is_over)
    (path,) = records(tmp_path)
    scenario = run_record.load(path).scenario
    assert (scenario.name, scenario.arrivals, scenario.rate_per_s) == ("smoke", "poisson", 200)


def test_a_test_that_cannot_begin_says_why_on_every_tab(
    page: Page, locust: LocustProcess, embedded: EmbeddedServer
) -> None:
    with closing(redis.Redis.from_url(embedded.url, password=WORD)) as opened:
        client: Any = opened
        client.lpush(RUNQY.pending("inference_high"), "of-another")
    page.goto(locust.url)
    page.get_by_role("button", name="Start").click()
    alert = page.locator("#queue-alert")
    alert.wait_for(timeout=20_000)
    assert "inference_high" in alert.inner_text()
    assert WORD not in page.content()
