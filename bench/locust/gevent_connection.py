"""A user's connection inside a Locust process: it waits without blocking other users."""

from gevent import Greenlet, get_hub, spawn
from gevent.event import Event

from bench.clock import Clock
from bench.producer.pipelined_connection import PipelinedConnection
from bench.producer.recorder import ProducerRecorder
from bench.producer.sinks import load_scripts_again
from bench.redisio.connection import ConnectionLost
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch

_READ, _WRITE = 1, 2
_MOST_UNSENT_BYTES = 1 << 20
"""Bytes that may wait for the socket; beyond that, tasks wait in the schedule."""


class GeventConnection:
    """One connection, and a greenlet that takes its replies as they come.

    Replies are recorded even when Locust ends the user before they have come. Raises
    ServerUnreachable.
    """

    def __init__(
        self,
        url: str,
        number: int,
        renderer: FrameRenderer,
        recorder: ProducerRecorder,
        clock: Clock,
        in_batches: bool,
    ) -> None:
        self._url = url
        self._renderer = renderer
        self._recorder = recorder
        self._clock = clock
        self._number = number
        self._pipelined = PipelinedConnection(url, number, renderer.answers, in_batches)
        self._settled = Event()
        self._settled.set()
        self.lost = False
        """Whether the connection is gone, so that the user needs another one."""
        self._reader: Greenlet[..., None] = spawn(self._read)

    @property
    def in_flight(self) -> int:
        """Tasks sent and not yet answered."""
        return 0 if self.lost else self._pipelined.in_flight

    @property
    def last_list_length(self) -> int | None:
        """Length of a pending list, by the newest reply; None before the first."""
        return self._pipelined.last_list_length

    def send(self, batch: Batch, sent_us: int | None = None) -> None:
        """Render, stamp and send a batch with absolute due times; wait only while too many bytes
        are unsent.

        ``sent_us`` is the moment of sending where the caller decides it, as in a closed loop. When
        the connection is lost, the tasks in flight on it are unknown.
        """
        frame = self._renderer.render(batch)
        self._settled.clear()
        try:
            if sent_us is None:
                sent_us = self._clock.now_us()
            self._pipelined.send(frame, 0, len(batch), sent_us, self._recorder)
            while self._pipelined.raw.unsent_bytes > _MOST_UNSENT_BYTES and not self.lost:
                self._flush()
        except ConnectionLost:
            self._lose_as_it_sends()
        if self._pipelined.raw.unsent_bytes and not self.lost:
            spawn(self._flush_all)

    def await_replies(self) -> None:
        """Wait until every task sent here is answered, or the connection is lost."""
        self._settled.wait()

    def close(self) -> None:
        """Close the connection; tasks in flight on it stay unanswered."""
        self._reader.kill(block=False)
        if not self.lost:
            self._pipelined.raw.close()
            self.lost = True
            self._settled.set()

    def _read(self) -> None:
        hub = get_hub()
        watcher = hub.loop.io(self._pipelined.raw.fileno(), _READ)
        try:
            while True:
                hub.wait(watcher)
                self._pipelined.take_replies(self._clock, self._recorder)
                if self._pipelined.lacks_scripts:
                    load_scripts_again(self._url, self._renderer.layout, [self._pipelined])
                if not self._pipelined.in_flight:
                    self._settled.set()
        except ConnectionLost:
            self._lose()
        finally:
            watcher.close()

    def _flush(self) -> None:
        hub = get_hub()
        watcher = hub.loop.io(self._pipelined.raw.fileno(), _WRITE)
        try:
            hub.wait(watcher)
        finally:
            watcher.close()
        if not self.lost:
            self._pipelined.raw.flush()

    def _flush_all(self) -> None:
        try:
            while self._pipelined.raw.unsent_bytes and not self.lost:
                self._flush()
        except ConnectionLost:
            self._lose_as_it_sends()

    def _lose_as_it_sends(self) -> None:
        if not self.lost:
            self._pipelined.take_last_replies(self._clock, self._recorder)
        self._lose()

    def _lose(self) -> None:
        if self.lost:
            return
        self.lost = True
        self._recorder.connection_lost(self._number)
        self._pipelined.raw.close()
        self._settled.set()
