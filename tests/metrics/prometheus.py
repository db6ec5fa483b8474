"""A Prometheus of a test's own, on the loopback interface, which scrapes one target."""

import contextlib
import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tests.metrics.conftest import TIMEOUT_S
from tests.sources import ROOT
from tests.waiting import await_that

IS_INSTALLED = shutil.which("prometheus") is not None
RULES = ROOT / "monitoring" / "alerts.yml"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Prometheus:
    """A server that answers queries."""

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str) -> Any:
        """The data of an answer; None while the server does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
        with contextlib.closing(connection), contextlib.suppress(OSError, ValueError):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())["data"]
        return None

    def query(self, expression: str) -> dict[tuple[str, ...], float]:
        """The values by their labels, in alphabetical order of these, without job and instance."""
        data = self.get(f"/api/v1/query?query={quote(expression)}")
        found = {}
        for each in [] if data is None else data["result"]:
            labels = {k: v for k, v in each["metric"].items() if k not in ("job", "instance")}
            labels.pop("__name__", None)
            found[tuple(labels[name] for name in sorted(labels))] = float(each["value"][1])
        return found

    def firing(self) -> set[str]:
        """The alerts that fire."""
        data = self.get("/api/v1/alerts") or {"alerts": []}
        return {each["labels"]["alertname"] for each in data["alerts"] if each["state"] == "firing"}


@contextlib.contextmanager
def scraping(target: str, folder: Path, rules: Path = RULES) -> Iterator[Prometheus]:
    """A Prometheus that scrapes ``HOST:PORT`` four times a second, with these rules."""
    jobs = [{"job_name": "bench", "static_configs": [{"targets": [target]}]}]
    written = {
        "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
        "rule_files": [str(rules)],
        "scrape_configs": jobs,
    }
    path, port = folder / "prometheus.yml", free_port()
    path.write_text(yaml.safe_dump(written))
    words = [
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    with subprocess.Popen(
        ["prometheus", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            made = Prometheus(port)
            await_that(lambda: made.get("/api/v1/status/buildinfo") is not None)
            # It looks for its targets every five seconds: until then it scrapes none.
            await_that(lambda: bool(made.query("up")))
            yield made
        finally:
            process.terminate()
