"""Surveys by hand, as a reader would have made them."""

from typing import Any

from bench.layouts.registry import get
from bench.survey.observed import QueueReading, Reading, SampledTask, Survey


def readings(*queues: dict[str, QueueReading], keys: list[int] | None = None) -> list[Reading]:
    """One reading a second."""
    return [
        Reading(float(second), each, None if keys is None else keys[second])
        for second, each in enumerate(queues)
    ]


def survey(layout: str = "asynq", **changes: Any) -> Survey:
    """An asynq server with two queues, watched for two seconds."""
    entry = get(layout)
    high, low = ("a_high", "a_low") if layout == "runqy" else ("a.high", "a.low")
    usual: dict[str, Any] = {
        "layout": entry.layout,
        "address": "redis://host:6379/0",
        "queues": [high, low],
        "left_out": 0,
        "tasks": [
            SampledTask(high, 400, True, 0, 5, "pending"),
            SampledTask(low, 900, True, 1, 5, "completed", True),
        ],
        "unreadable": 0,
        "readings": readings(
            {high: QueueReading(0, 2, 0, 100, 10), low: QueueReading(5, 4, 1, 1000, 20)},
            {high: QueueReading(1, 3, 0, 120, 11), low: QueueReading(9, 4, 1, 1050, 20)},
            {high: QueueReading(2, 2, 0, 140, 12), low: QueueReading(11, 5, 2, 1100, 22)},
        ),
        "rules": entry.layout.counter_rules,
        "day_ends": {},
        "others": [],
        "is_whole": True,
        "commands": 321,
        "took_s": 2.05,
    }
    return Survey(**{**usual, **changes})
