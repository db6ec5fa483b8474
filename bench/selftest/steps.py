"""The steps of a self-test: each plants something, has ``bench run`` measure it, and compares."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.analysis.selftest import (
    KnownLatencies,
    MeasuredSummaries,
    check_delay,
    noise_of,
)
from bench.errors import MeasurementError
from bench.names import ALL_QUEUES
from bench.records.run_record import LatencySummary, RunRecord
from bench.records.selftest_record import (
    CountCheck,
    DelayCheck,
    PacingCheck,
    SelftestCeiling,
    SelftestRecord,
)
from bench.redisio.clock_sync import measure_offset
from bench.redisio.connection import open_client
from bench.selftest import stand_in
from bench.selftest.null_sink import rendered_per_s
from bench.selftest.plan import DROP_DURATION_S, FEWEST_REPEATS, PlannedDelay, SelftestPlan
from bench.selftest.relay import relaying
from bench.selftest.saboteur import Saboteur
from bench.selftest.stand_in import StandInNotes, StandInPlan
from bench.selftest.witness import known_latencies, witnessed

RunMaker = Callable[[Sequence[str], str], RunRecord]
"""Makes a run with these arguments on the server of this URL, and returns its record."""
_LOAD = ("default", "--warmup", "0s", "--producers", "1", "--abort", "none")
_QUEUE = "selftest_one"
_UNDELAYED = 3
"""Weight of the sub-queue without a delay of the network."""


@dataclass(frozen=True)
class Setting:
    """Where the steps take place."""

    url: str
    port: int
    folder: Path
    """For the files of the stand-in."""
    make: RunMaker
    plan: SelftestPlan
    should_stop: Callable[[], bool] = lambda: False
    has_time: Callable[[], bool] = lambda: True
    """Whether the planned time is not over yet."""

    def run(self, *arguments: str, url: str = "") -> RunRecord:
        """Returns the record of a run with these arguments beside those of all runs."""
        return self.make([*_LOAD, *arguments], url or self.url)

    def stand_in(self, plan: StandInPlan, *arguments: str) -> tuple[RunRecord, StandInNotes]:
        """Returns the record of a run that a stand-in serves, and what that notes.

        Raises MeasurementError where it left no notes.
        """
        queues = ("--queues", _weights(plan.delays_us), "--worker", "external")
        with stand_in.serving(self.url, plan, self.folder) as notes:
            record = self.run(*queues, *arguments)
        return record, notes


def _weights(queues: Mapping[str, object]) -> str:
    return ",".join(f"{name}=1" for name in queues)


def _queue_of(delay_s: float) -> str:
    return f"selftest_{round(delay_s * 1e6)}us"


def _text(duration_s: float) -> str:
    return f"{round(duration_s * 1e6)}us"


def _summary(record: RunRecord, interval: str, queue: str = ALL_QUEUES) -> LatencySummary:
    return record.latency.get(interval, {}).get(queue, LatencySummary(count=0))


def observed_delays(setting: Setting) -> SelftestRecord:
    """Returns what the observer sees of completions at known times after tasks were due."""
    plan = setting.plan
    delays_us = {_queue_of(each): round(each * 1e6) for each in plan.observed_s}
    return check_observed(setting, StandInPlan(delays_us=delays_us))


def check_observed(setting: Setting, planted: StandInPlan) -> SelftestRecord:
    """Returns what the observer sees of a stand-in with this plan."""
    plan = setting.plan
    record, notes = setting.stand_in(
        planted,
        *("--rate", f"{plan.observed_rate_per_s}/s"),
        *("--duration", _text(plan.observed_duration_s), "--traced", "100%"),
    )
    checks = []
    for queue, delay_us in planted.delays_us.items():
        own = [each for each in notes.tasks if each.queue == queue]
        known = KnownLatencies(
            np.array([each.before_us for each in own]) / 1e6,
            np.array([each.after_us for each in own]) / 1e6,
        )
        measured = MeasuredSummaries(
            _summary(record, "e2e", queue), _summary(record, "e2e_earliest", queue)
        )
        error_s = notes.clock_error_us / 1e6
        checks.append(check_delay("observer", "e2e", delay_us / 1e6, known, measured, error_s))
    return _with_run(record, delays=checks)


def _with_run(record: RunRecord, **found: object) -> SelftestRecord:
    """Returns what a step found, with the machine and the server of its run."""
    return SelftestRecord(
        started_at="",
        command="",
        environment=record.environment,
        server=record.server,
        **found,  # type: ignore[arg-type]
    )


def served_delays(setting: Setting) -> SelftestRecord:
    """Returns what built-in workers record of known service times, beside what the server saw."""
    checks: list[DelayCheck] = []
    for each in setting.plan.served:
        record, found = _served(setting, each)
        checks += found
    return _with_run(record, delays=checks)


def _served(setting: Setting, planned: PlannedDelay) -> tuple[RunRecord, list[DelayCheck]]:
    client = open_client(setting.url)
    before = measure_offset(client)
    with witnessed(setting.url) as commands:
        record = setting.run(
            *("--queues", f"{_QUEUE}=1", "--service-time", _text(planned.delay_s)),
            *("--rate", f"{planned.rate_per_s}/s", "--duration", _text(planned.duration_s)),
            *("--concurrency", str(planned.concurrency), "--prefetch", "1", "--workers", "1"),
        )
    after = measure_offset(client)
    client.close()
    drift_us = abs(after.offset_us - before.offset_us)
    clock_error_s = (before.error_us + after.error_us + drift_us) / 1e6
    planted = {"service": planned.delay_s, "e2e": planned.delay_s, "queue_wait": None}
    return record, [
        check_delay(
            "built-in",
            interval,
            planted[interval],
            known,
            MeasuredSummaries(_summary(record, interval)),
            drift_us / 1e6 if interval == "service" else clock_error_s,
        )
        for interval, known in known_latencies(commands).items()
    ]


def network_delays(setting: Setting) -> SelftestRecord:
    """Returns what a producer records of round trips through a relay of known delay.

    Only the relay's part of a round trip is known. The rest is taken for at most as long as the
    longest round trip of the sub-queue without a delay, which gets more tasks than the others: by
    chance alone, a median is above that of 27 tasks in less than one of a thousand cases. The
    median alone is compared.
    """
    plan = setting.plan
    delays_s = {_queue_of(each): each for each in plan.network_s}
    url = setting.url.replace(f":{setting.port}", ":{}")
    without = _queue_of(plan.network_s[0])
    weights = ",".join(f"{name}={_UNDELAYED if name == without else 1}" for name in delays_s)
    with relaying(setting.port, delays_s) as relay:
        record = setting.run(
            *("--queues", weights, "--workers", "0"),
            *("--rate", f"{plan.network_rate_per_s}/s"),
            *("--duration", _text(plan.network_duration_s)),
            url=url.format(relay.port),
        )
    undelayed = _summary(record, "enqueue", without)
    return _with_run(
        record,
        delays=[
            check_delay(
                "network",
                "enqueue",
                delay_s,
                KnownLatencies(np.array(held_s), np.array(held_s) + (undelayed.max_s or 0.0)),
                MeasuredSummaries(_summary(record, "enqueue", queue)),
                names=("p50",),
            )
            for queue, delay_s in delays_s.items()
            if delay_s and (held_s := relay.held_s[queue])
        ],
    )


def lost_and_doubled(setting: Setting) -> SelftestRecord:
    """Returns what the ledger says of tasks that were lost and doubled under built-in workers."""
    plan = setting.plan
    saboteur = Saboteur(
        setting.url,
        _QUEUE,
        from_pending=plan.tasks // 2,
        popped=plan.popped,
        deleted=plan.deleted,
        doubled=plan.doubled,
        should_stop=setting.should_stop,
    )
    saboteur.start()
    try:
        record = setting.run(
            *("--queues", f"{_QUEUE}=1", "--rate", "max", "--tasks", str(plan.tasks)),
            *("--service-time", "1ms", "--concurrency", "1", "--workers", "1"),
        )
    finally:
        saboteur.stopping.set()
        saboteur.join()
    if not saboteur.has_struck:
        raise MeasurementError("the worker was done before tasks could be lost")
    lost = plan.popped + plan.deleted
    planted = {"lost": lost, "duplicated": plan.doubled, "completed": plan.tasks - lost}
    return _with_run(record, counts=_counted("built-in", planted, record))


def _counted(path: str, planted: Mapping[str, int], record: RunRecord) -> list[CountCheck]:
    return [
        CountCheck(path=path, what=what, planted=count, measured=getattr(record.counts, what))  # type: ignore[arg-type]
        for what, count in planted.items()
    ]


def dropped(setting: Setting) -> SelftestRecord:
    """Returns what the ledger says of tasks that an external worker has dropped."""
    plan = setting.plan
    record, notes = setting.stand_in(
        StandInPlan(delays_us={_QUEUE: 2000}, drop_every=plan.drop_every),
        *("--rate", f"{plan.observed_rate_per_s}/s", "--duration", _text(DROP_DURATION_S)),
        *("--drain-timeout", _text(plan.drop_wait_s)),
    )
    planted = {"lost": notes.dropped, "completed": len(notes.tasks)}
    return _with_run(record, counts=_counted("observer", planted, record))


def ceilings(setting: Setting) -> SelftestRecord:
    """Returns how many tasks one producer sends to the server, and renders without one."""
    record = _as_fast_as_possible(setting)
    found = [
        SelftestCeiling(sink="embedded server", per_s=record.rates.enqueued_per_s or 0.0),
        SelftestCeiling(sink="none", per_s=rendered_per_s(setting.plan.ceiling_tasks)),
    ]
    return _with_run(record, ceilings=found)


def _as_fast_as_possible(setting: Setting) -> RunRecord:
    words = ["enqueue-max", "--tasks", str(setting.plan.ceiling_tasks), "--abort", "none"]
    return setting.make(words, setting.url)


def pacing(setting: Setting) -> SelftestRecord:
    """Returns how punctually one producer sends at several rates."""
    found = []
    for rate in setting.plan.paced_per_s:
        record = setting.run(
            *("--queues", f"{_QUEUE}=1", "--workers", "0", "--rate", f"{rate}/s"),
            *("--duration", _text(setting.plan.paced_duration_s)),
        )
        lag = _summary(record, "schedule_lag")
        found.append(
            PacingCheck(
                asked_per_s=rate,
                enqueued_per_s=record.rates.enqueued_per_s,
                lag_p50_s=lag.p50_s,
                lag_p99_s=lag.p99_s,
            )
        )
    return _with_run(record, pacing=found)


def repeats(setting: Setting) -> SelftestRecord:
    """Returns how figures differ between identical runs.

    Once the planned time is over, no more of them are made than are needed to tell at all.
    """
    values: dict[str, list[float]] = {"e2e.p50": [], "e2e.p99": [], "enqueued": []}
    for made in range(setting.plan.repeats):
        if made >= FEWEST_REPEATS and not setting.has_time():
            break
        record = setting.run(
            *("--queues", f"{_QUEUE}=1", "--rate", "500/s", "--workers", "1"),
            *("--duration", _text(setting.plan.repeat_duration_s), "--service-time", "none"),
        )
        whole = _summary(record, "e2e")
        values["e2e.p50"].append(whole.p50_s or 0.0)
        values["e2e.p99"].append(whole.p99_s or 0.0)
        values["enqueued"].append(_as_fast_as_possible(setting).rates.enqueued_per_s or 0.0)
    return _with_run(record, noise=[noise_of(name, each) for name, each in values.items()])


STEPS: Mapping[str, Callable[[Setting], SelftestRecord]] = {
    "delays, external worker": observed_delays,
    "delays, built-in worker": served_delays,
    "delays, network": network_delays,
    "losses and doubles, built-in worker": lost_and_doubled,
    "losses, external worker": dropped,
    "ceiling": ceilings,
    "pacing": pacing,
    "identical runs": repeats,
}
"""By their names, in their order."""
