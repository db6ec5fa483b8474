"""One connection for frames: bytes out, replies in, and the task that each reply answers."""

import contextlib
from collections.abc import Callable

from bench.clock import Clock
from bench.producer.recorder import ProducerRecorder
from bench.redisio.connection import ConnectionLost, RawConnection
from bench.wire.answers import Answered, Answers
from bench.wire.frames import Frame
from bench.wire.refusals import Refusal, is_of_another_server, refusal_of
from bench.wire.replies import SHORTEST_REPLY, LineReplies, Replies


class PipelinedConnection:
    """Sends rendered frames and takes their replies, and never waits. Raises ServerUnreachable.

    A server that sends what is no reply, or more replies than there were commands, is one whose
    replies cannot be assigned to tasks: the connection counts as lost.

    ``answers`` makes what matches replies to tasks; ``number`` identifies the connection to the
    recorder. With ``in_batches`` the socket becomes readable once a whole batch (or most of it) is
    answered, rather than for each reply: for closed loops, which do nothing before that.
    """

    def __init__(
        self, url: str, number: int, answers: Callable[[], Answers], in_batches: bool = False
    ) -> None:
        self._in_batches = in_batches
        self.raw = RawConnection(url)
        self.descriptor = self.raw.fileno()
        """The socket's file descriptor, for ``select``."""
        self._number = number
        self._replies = LineReplies()
        self._answers = answers()
        self.in_flight = 0
        """Tasks sent and not yet answered."""
        self.last_list_length: int | None = None
        """Length of a pending list, by the newest reply; None before the first."""
        self.lacks_scripts = False
        """Whether the server has refused tasks because it does not know the layout's scripts."""
        self.leads_elsewhere = False
        """Whether the server has refused tasks because it is not the one to ask at the moment."""

    def send(
        self, frame: Frame, start: int, stop: int, sent_us: int, recorder: ProducerRecorder
    ) -> None:
        """Stamp the tasks of a frame from ``start`` to ``stop`` (half-open) with their moment of
        sending, and send them. Raises ConnectionLost."""
        data = frame.stamped(sent_us, start, stop)
        # Recording follows the bytes. What a lost connection swallowed was sent, too.
        try:
            self.raw.send(data)
        finally:
            self.in_flight += stop - start
            if frame.queue_sizes is None:
                self._answers.expect(stop - start)
            else:
                for size in frame.queue_sizes:
                    self._answers.expect(size)
            recorder.sent(frame.tasks, start, stop, sent_us, self._number)
            if self._in_batches:
                self.raw.wake_from(self._answers.missing * SHORTEST_REPLY)

    def take_replies(self, clock: Clock, recorder: ProducerRecorder) -> bool:
        """Take the replies that have arrived, and record them; whether anything had arrived.

        Raises ConnectionLost.
        """
        data = self.raw.receive()
        replies, answered = self._parse(data)
        acked_us = clock.now_us()
        self.note_errors(replies, recorder)
        if self._in_batches:
            self.raw.wake_from(self._answers.missing * SHORTEST_REPLY)
        if answered.tasks:
            self.in_flight -= answered.tasks
            recorder.answered(answered.tasks, acked_us, answered.refused, self._number)
            if answered.ends_with_task:
                self.last_list_length = replies.last_number
        return bool(data)

    def take_last_replies(self, clock: Clock, recorder: ProducerRecorder) -> None:
        """Take what has arrived on a connection that is given up: those tasks were answered.

        Where a loss is noticed as something is sent, replies may lie unread.
        """
        with contextlib.suppress(ConnectionLost):
            while self.take_replies(clock, recorder):
                pass

    def note_errors(self, replies: Replies, recorder: ProducerRecorder) -> None:
        """Record the errors among replies, and what they say of the server."""
        for _, message in replies.errors:
            self.note_error(message, recorder)

    def note_error(self, message: str, recorder: ProducerRecorder) -> None:
        """Record an error that the server has answered, and what it says of the server."""
        recorder.note_error(message)
        if refusal_of(message) is Refusal.SCRIPT_UNKNOWN:
            self.lacks_scripts = True
        self.leads_elsewhere |= is_of_another_server(message)

    def _parse(self, data: bytes) -> tuple[Replies, Answered]:
        try:
            replies = self._replies.feed(data)
            return replies, self._answers.take(replies)
        except ValueError as error:
            raise ConnectionLost(f"the server sent what answers no command: {error}") from None
