"""A Locust user's connection that is lost."""

import sys

import numpy as np
import pytest

from bench.clock import RunClock
from bench.layouts.registry import get
from bench.locust.gevent_connection import GeventConnection
from bench.measure.window import time_line
from bench.producer.recorder import ProducerRecorder
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch
from tests.producer.sockets import AnsweredAndReset, OverSocket

CLOCK = RunClock(1_700_000_000_000_000)


@pytest.mark.skipif(sys.platform != "linux", reason="others forget what they received, when reset")
def test_what_was_answered_before_a_reset_is_known_though_a_send_notices_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = AnsweredAndReset()
    monkeypatch.setattr(
        "bench.producer.pipelined_connection.RawConnection", lambda _: OverSocket(real.client)
    )
    recorder = ProducerRecorder(time_line(CLOCK.now_us(), 0, 0), is_closed_loop=False)
    renderer = FrameRenderer(get("asynq").layout, ["a.b"], 77, 0, 0)
    connection = GeventConnection("", 0, renderer, recorder, CLOCK, in_batches=False)
    connection.send(_batch(0, 3))
    real.answer_and_reset(b":3\r\n:1\r\n" * 2 + b":3\r\n")
    connection.send(_batch(3, 4))
    assert connection.lost
    connection.close()
    ledger = recorder.ledger()
    assert ledger.sent == 4
    assert ledger.acknowledged.numbers().tolist() == [0, 1]


def _batch(start: int, stop: int) -> Batch:
    numbers = np.arange(start, stop)
    due_us = np.full(len(numbers), CLOCK.now_us())
    return Batch(numbers, due_us, np.zeros_like(numbers), [b"}"] * len(numbers))
