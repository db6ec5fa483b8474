"""What the form on Locust's page shows, and what a form that was sent asks for.

Importing Locust patches the process, so another one does it."""

import json
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json
from types import SimpleNamespace
from bench.locust import OpenLoopUser, QueueUser, Spike
from bench.locust.form import StartForm, submitted_options
from bench.workload.declaration import FrontEnd
from bench.workload.fields import shown_by
NONE = dict.fromkeys(each.name for each in shown_by(FrontEnd.LOCUST)) | {
    "scenario": None, "shape_duration": None, "trace": None, "enqueue_only": False,
    "embedded": True}
class Orders(QueueUser):
    queues = {"orders_high": 1, "orders_low": 3}
    rate = "2000/s"
class Open(OpenLoopUser):
    pass
class Peak(Spike):
    pass
def form(user=QueueUser, shape=None, **options):
    return StartForm.of(NONE | options, SimpleNamespace(user_classes=[user], shape_class=shape))
def inputs(form):
    made = {name: {"default_value": None, "choices": None, "help_text": "long"} for name in NONE}
    form.arrange(made)
    return made
plain = form()
sent = NONE | {name: text for name, text in plain.shown.items()}
print(json.dumps({
    "plain": plain.shown, "of_class": form(Orders).shown, "open": form(Open).shown["rate"],
    "option": form(Orders, rate="7/s").shown["rate"],
    "scenario": form(scenario="default").shown, "wrong": form(rate="abc").shown,
    "inputs": inputs(plain), "with_shape": sorted(set(inputs(form(shape=Peak())))),
    "unchanged": plain.asked(sent) == NONE,
    "changed": {k: v for k, v in plain.asked(sent | {"rate": "9/s"}).items() if v != NONE[k]},
    "back": form(rate="5/s").asked(sent | {"rate": "5/s"})["rate"],
    "submitted": submitted_options(NONE, {"enqueue_only": "true", "rate": "1/s", "other": "x"}),
}))
"""


def seen() -> dict[str, Any]:
    words = [sys.executable, "-W", "ignore", "-c", PROGRAM]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


@pytest.mark.slow
def test_the_form_shows_what_holds_and_asks_only_for_what_was_changed() -> None:
    got = seen()
    queues = "inference_high=1,inference_default=2,inference_low=1"
    assert (got["plain"]["queues"], got["plain"]["rate"]) == (queues, "max")
    assert got["of_class"]["queues"] == "orders_high=1,orders_low=3"
    assert (got["of_class"]["rate"], got["open"], got["option"]) == ("2,000/s", "1,000/s", "7/s")
    assert got["scenario"]["rate"] == "2,000/s"
    assert got["wrong"]["rate"] == "abc"  # to be mended there
    assert got["wrong"]["queues"] == queues
    assert got["inputs"]["layout"]["default_value"] == "runqy"
    assert "asynq" in got["inputs"]["layout"]["choices"]
    assert got["inputs"]["arrivals"]["choices"] == ["constant", "poisson", "max"]
    assert got["inputs"]["store_results"]["choices"] == ["false", "true"]
    assert got["inputs"]["rate"]["choices"] is None
    assert not {"trace", "shape_duration"} & set(got["inputs"])
    assert {"trace", "shape_duration"} & set(got["with_shape"]) == {"shape_duration"}
    assert got["unchanged"]
    assert got["changed"] == {"rate": "9/s"}
    assert got["back"] == "5/s"
    assert got["submitted"] == {"enqueue_only": True, "rate": "1/s"}
