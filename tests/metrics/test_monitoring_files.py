"""The dashboard and the alert rules: they name metrics that exist, and Prometheus accepts them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.metrics.declared import METRICS, MetricType
from tests.sources import ROOT

MONITORING = ROOT / "monitoring"
_NAME = re.compile(r"\b(?:runqy_bench|asynq)_\w+")
_LABEL = re.compile(r"\b(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$queue": ".*"}
_FROM_PROMETHEUS = {"instance", "job", "le"}

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs Prometheus's promtool"
)


def samples() -> dict[str, set[str]]:
    """Labels of every sample that may be scraped, by its name."""
    found: dict[str, set[str]] = {}
    for metric in METRICS.values():
        suffixes = ("_bucket", "_sum", "_count") if metric.type is MetricType.HISTOGRAM else ("",)
        for suffix in suffixes:
            found[f"{metric.name}{suffix}"] = {*metric.labels, *_FROM_PROMETHEUS}
    return found


def dashboard() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((MONITORING / "grafana" / "dashboard.json").read_text())
    return parsed


def panel_expressions() -> Iterator[str]:
    """What the panels show, with the variables filled in."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            expression = str(target["expr"])
            for variable, value in _VARIABLES.items():
                expression = expression.replace(variable, value)
            yield expression


def expressions() -> list[str]:
    """Everything that is asked of Prometheus, in the dashboard and in the rules."""
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    variables = [each["definition"] for each in dashboard()["templating"]["list"][1:]]
    return [*panel_expressions(), *(each["expr"] for each in rules), *variables]


@pytest.mark.parametrize("expression", expressions())
def test_an_expression_names_metrics_and_labels_that_exist(expression: str) -> None:
    known = samples()
    named = set(_NAME.findall(expression))
    assert named
    assert named <= known.keys()
    assert set(_LABEL.findall(expression)) <= set.union(*(known[name] for name in named))


def test_panels_are_laid_out_without_overlapping() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def promtool(*words: str) -> None:
    done = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_prometheus_can_read_what_the_panels_ask(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(panel_expressions())
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(path))


@needs_promtool
def test_prometheus_accepts_the_rules_and_the_configuration() -> None:
    promtool("check", "rules", str(MONITORING / "alerts.yml"))
    promtool("check", "config", str(MONITORING / "prometheus.yml"))


@needs_promtool
def test_every_alert_fires_when_it_should_and_not_before() -> None:
    path = MONITORING / "alerts-test.yml"
    promtool("test", "rules", str(path))
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
    tested = {
        each["alertname"]
        for test in yaml.safe_load(path.read_text())["tests"]
        for each in test["alert_rule_test"]
        if each["exp_alerts"]
    }
    assert tested == {each["alert"] for each in rules}
