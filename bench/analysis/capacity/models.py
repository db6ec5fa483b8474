"""From trials to models, and from models to predictions that can turn out wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.capacity import scaling
from bench.analysis.capacity.queueing import Queue, Service, service_of
from bench.analysis.capacity.scaling import Law, Level
from bench.measure.histogram import decode
from bench.records.capacity_record import CapacityRecord, LevelRow, ScalingRow, ServiceRow
from bench.records.run_record import RunRecord

_CURVE_POINTS = 60
_P99 = 99.0
_FEWEST_POINTS = 4
"""To draw a line through."""
_SATURATION_SPREAD = 0.05
"""How far a saturation run, a single one, may be off."""


def law_of(levels: Sequence[LevelRow]) -> Law | None:
    """The scaling of the rates that hold, over levels with both bounds that were not held out."""
    return scaling.fit(
        [
            Level(level.units, level.lower_per_s, level.upper_per_s)
            for level in levels
            if not level.is_held_out
            and level.lower_per_s is not None
            and level.upper_per_s is not None
        ]
    )


def scaling_row(law: Law) -> ScalingRow:
    """A fit as the record keeps it."""
    first = min(level.workers for level in law.levels)
    curve = np.linspace(first, law.farthest, _CURVE_POINTS)
    bands = [(float(count), law.predict(float(count))) for count in curve]
    low, high = law.interval_of("peak_workers")
    return ScalingRow(
        alpha=law.best.alpha,
        beta=law.best.beta,
        gamma=law.best.gamma,
        alpha_interval=law.interval_of("alpha"),
        beta_interval=law.interval_of("beta"),
        gamma_interval=law.interval_of("gamma"),
        peak_interval=(low, high if math.isfinite(high) else None),
        fitted=[int(level.workers) for level in law.levels],
        residuals=list(law.residuals),
        band=[(count, band.value, band.low, band.high) for count, band in bands],
    )


def service_row(run: RunRecord) -> ServiceRow | None:
    """Service times and the floor, from a run at a low load; None where nothing was served."""
    service, wait = run.latency["service"]["all"], run.latency["queue_wait"]["all"]
    lag = run.latency["schedule_lag"]["all"]
    if not service.count or wait.p50_s is None:
        return None
    shape = service_of(decode(service.hdr))
    return ServiceRow(
        mean_s=service.mean_s or shape.mean_s,
        variation=shape.variation,
        floor_s=wait.p50_s + (lag.p50_s or 0.0),
        hdr=service.hdr,
        arrivals_variation=1.0 if run.scenario.arrivals == "poisson" else 0.0,
    )


def shape_of(row: ServiceRow) -> Service:
    """The service times that were measured."""
    return service_of(decode(row.hdr)).scaled_to(row.mean_s)


@dataclass(frozen=True)
class LatencyBand:
    """A percentile of e2e, with the interval that the uncertainty of the capacity gives it."""

    value_s: float
    low_s: float
    high_s: float


def latency_at(
    service: ServiceRow, units: int, saturation_per_s: float, rate_per_s: float
) -> LatencyBand:
    """p99 of e2e at a rate, for workers that go as fast as their saturation run did.

    Each of the servers is taken to be as slow as that run says, whatever part of it is service and
    what round trips.
    """

    def percentile_s(capacity_per_s: float) -> float:
        mean_s = units / capacity_per_s
        queue = Queue(
            units,
            rate_per_s,
            shape_of(service).scaled_to(mean_s),
            service.arrivals_variation,
            service.floor_s,
        )
        return queue.percentile_s(_P99)

    return LatencyBand(
        percentile_s(saturation_per_s),
        percentile_s(saturation_per_s * (1 + _SATURATION_SPREAD)),
        percentile_s(saturation_per_s * (1 - _SATURATION_SPREAD)),
    )


def level_of(record: CapacityRecord, units: int) -> LevelRow | None:
    """What was found for so many workers or slots."""
    return next((level for level in record.levels if level.units == units), None)


def best_level(record: CapacityRecord) -> LevelRow | None:
    """The asked level with the highest rate that holds."""
    held = [each for each in record.levels if each.lower_per_s is not None and not each.is_held_out]
    return max(held, key=lambda level: level.lower_per_s or 0.0, default=None)


def server_ceiling_per_s(record: CapacityRecord) -> float | None:
    """Tasks a second that would fill one core of the server.

    From the line through what all trials used: a server has work to do without any task, and what
    one more task costs is the slope. None where the trials do not show it.
    """
    points = [
        (trial.completed_per_s, trial.server_cores)
        for trial in record.trials
        if trial.completed_per_s and trial.server_cores is not None and trial.verdict == "valid"
    ]
    rates = np.array([rate for rate, _ in points])
    if len(points) < _FEWEST_POINTS or rates.max() < 2 * rates.min():
        return None
    slope, idle = np.polyfit(rates, np.array([cores for _, cores in points]), 1)
    return float((1 - idle) / slope) if slope > 0 and idle < 1 else None
