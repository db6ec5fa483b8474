"""A producer's reports: light ones while it works, and the final one."""

from bench.measure.reports import ProducerReport
from bench.producer.recorder import ProducerRecorder
from bench.usage import ProcessUsage, peak_memory_bytes


class ProducerReporter:
    """Makes the reports of one producer, from its recorder and its use of the machine."""

    def __init__(
        self,
        number: int,
        recorder: ProducerRecorder,
        with_latency_counts: bool = False,
        latency_bounds_us: tuple[int, ...] = (),
    ) -> None:
        self._number = number
        self._recorder = recorder
        self._buckets = recorder.buckets(latency_bounds_us)
        self.with_latency_counts = with_latency_counts
        """Whether the next report carries latency counts."""
        self._usage = ProcessUsage()
        self._revision = 0
        self.reconnects = 0
        self.error = ""
        self.behind_us = 0
        """How long the next task has been due."""
        self._has_given_up = False

    def begin(self) -> None:
        """Measure CPU and time from now on, as the run begins."""
        self._usage = ProcessUsage()

    def give_up(self, behind_us: int) -> None:
        """Note that the tasks that are left will not be sent: the next has been due for so long."""
        self._has_given_up, self.behind_us = True, behind_us

    def state(self, *, is_last: bool = False) -> ProducerReport:
        """A light report of the state so far."""
        self._usage.sample()
        self._revision += 1
        recorder = self._recorder
        return ProducerReport(
            number=self._number,
            revision=self._revision,
            due=recorder.sent_count,
            sent=recorder.sent_count,
            enqueued=recorder.enqueued_count,
            refused=recorder.refused_count,
            not_replicated=dict(recorder.not_replicated),
            first_error=recorder.first_error,
            reconnects=self.reconnects + recorder.nodes_lost,
            redirected=recorder.redirected_count,
            error=self.error,
            behind_us=self.behind_us,
            cpu_s=self._usage.cpu_s(),
            busiest_second_cores=self._usage.busiest_cores,
            elapsed_s=self._usage.elapsed_s(),
            peak_memory_bytes=peak_memory_bytes(),
            offered_by_bin=recorder.offered.counts,
            enqueued_by_bin=recorder.enqueued.counts,
            latency_counts=recorder.latency_counts() if self.with_latency_counts else {},
            latency_buckets=self._buckets.count(is_last=is_last),
        )

    def final(self, unsent: int) -> ProducerReport:
        """The final report, with all latencies and sets.

        ``unsent`` is the number of tasks that were due by now and not sent.
        """
        self._recorder.refuse_held()
        report = self.state(is_last=True)
        report.final = True
        report.due += unsent
        report.given_up = unsent if self._has_given_up else 0
        report.behind_us = self.behind_us if self._has_given_up else 0
        report.finished_us = self._recorder.last_reply_us
        report.measured = self._recorder.measured()
        if self._recorder.send_times is not None:
            report.sent_by_bin = self._recorder.send_times.by_bin()
            report.sent_sample = self._recorder.send_times.sample()
        ledger = self._recorder.ledger()
        report.fine = None if self._recorder.fine is None else self._recorder.fine.packed()
        report.acknowledged = ledger.acknowledged.pack()
        report.refused_set = ledger.refused.pack()
        return report
