"""``docker-compose.yml``: it parses, its services scale, and nothing listens to the world."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent
_TOOLS = (["docker", "compose"], ["docker-compose"])


def compose() -> list[str] | None:
    for tool in _TOOLS:
        if (
            shutil.which(tool[0])
            and not subprocess.run([*tool, "version"], check=False, capture_output=True).returncode
        ):
            return tool
    return None


def services_of(*options: str) -> dict[str, Any]:
    """The services that a compose tool reads from the file."""
    tool = compose()
    if tool is None:
        pytest.skip("needs docker compose, or Debian's docker-compose")
    done = subprocess.run(
        [*tool, *options, "config"], check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    yaml = pytest.importorskip("yaml")
    parsed: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return parsed


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    return {name: each for name, each in services_of().items() if "profiles" not in each}


@pytest.fixture(scope="module")
def monitored() -> dict[str, Any]:
    """The services with those that watch them."""
    return services_of("--profile", "monitoring")


def test_it_has_a_redis_workers_and_locust(services: dict[str, Any]) -> None:
    assert set(services) == {"redis", "worker", "locust-master", "locust-worker"}
    built = {name for name, service in services.items() if "build" in service}
    assert built == {"worker", "locust-master", "locust-worker"}
    assert len({services[name]["image"] for name in built}) == 1


def test_what_is_to_be_scaled_publishes_no_port(services: dict[str, Any]) -> None:
    assert all("ports" not in services[name] for name in ("worker", "locust-worker"))


def test_ports_are_published_on_the_loopback_interface_only(monitored: dict[str, Any]) -> None:
    ports = [port for service in monitored.values() for port in service.get("ports", [])]
    assert len(ports) == 4
    assert all("127.0.0.1" in json.dumps(port) for port in ports)


def test_monitoring_is_there_when_it_is_asked_for_and_finds_its_files(
    services: dict[str, Any], monitored: dict[str, Any]
) -> None:
    assert set(monitored) - set(services) == {"prometheus", "grafana"}
    mounted = [
        Path(each["source"] if isinstance(each, dict) else each.partition(":")[0])
        for name in ("prometheus", "grafana")
        for each in monitored[name]["volumes"]
    ]
    assert len(mounted) == 4
    assert all(each.exists() and each.is_relative_to(ROOT) for each in mounted)


def test_what_prometheus_scrapes_serves_metrics(services: dict[str, Any]) -> None:
    yaml = pytest.importorskip("yaml")
    text = (ROOT / "monitoring" / "prometheus.yml").read_text(encoding="utf-8")
    (scraped,) = yaml.safe_load(text)["scrape_configs"]
    (found,) = scraped["dns_sd_configs"]
    assert found["names"]
    for name in found["names"]:
        assert f"--metrics 0.0.0.0:{found['port']}" in " ".join(services[name]["command"])


def test_the_image_holds_what_the_services_run() -> None:
    """Every file that the Dockerfile copies is there."""
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert all((ROOT / each).exists() for each in copied)
