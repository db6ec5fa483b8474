"""Fits models to trials, and makes predictions that a later measurement can refute."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.capacity import scaling
from bench.analysis.capacity.queueing import Queue, ServiceTimes, service_of
from bench.analysis.capacity.scaling import Law, Level
from bench.names import ALL_QUEUES
from bench.records.capacity_record import CapacityRecord, LevelRow, ScalingRow, ServiceRow
from bench.records.run_record import RunRecord
from bench.records.summaries import decoded

_CURVE_POINTS = 60
_P99 = 99.0
_FEWEST_POINTS = 4
"""Trials that a regression line needs at least."""
_SATURATION_SPREAD = 0.05
"""Assumed error of a single saturation run, as a share."""


def law_of(levels: Sequence[LevelRow]) -> Law | None:
    """Returns the scaling law of the sustained rates; None where too few levels have both bounds.

    Levels that were held out to check the law are not part of the fit.
    """
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
    """Returns a fitted law in the form that the record holds."""
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
    """Returns the service times and the latency without queueing, from a run at a low load.

    None where no task was served.
    """
    service, wait = run.latency["service"][ALL_QUEUES], run.latency["queue_wait"][ALL_QUEUES]
    lag = run.latency["schedule_lag"][ALL_QUEUES]
    if not service.count or wait.p50_s is None:
        return None
    shape = service_of(decoded(service.hdr))
    return ServiceRow(
        mean_s=service.mean_s or shape.mean_s,
        variation=shape.variation,
        floor_s=wait.p50_s + (lag.p50_s or 0.0),
        hdr=service.hdr,
        arrivals_variation=1.0 if run.scenario.arrivals == "poisson" else 0.0,
    )


def shape_of(row: ServiceRow) -> ServiceTimes:
    """Returns the distribution of the measured service times."""
    return service_of(decoded(row.hdr)).scaled_to(row.mean_s)


@dataclass(frozen=True)
class LatencyBand:
    """A percentile of e2e in seconds, with its interval from the uncertainty of the capacity."""

    value_s: float
    low_s: float
    high_s: float


def latency_at(
    service: ServiceRow, units: int, saturation_per_s: float, rate_per_s: float
) -> LatencyBand:
    """Returns the predicted p99 of e2e at a rate, for workers as fast as their saturation run.

    ``units`` is the number of workers or slots; rates are in tasks per second. The time per task of
    each slot is taken from the saturation run, so it includes round trips as well as service.
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
    """Returns the level with that number of workers or slots; None where there is none."""
    return next((level for level in record.levels if level.units == units), None)


def best_level(record: CapacityRecord) -> LevelRow | None:
    """Returns the requested level with the highest sustained rate; None where there is none."""
    held = [each for each in record.levels if each.lower_per_s is not None and not each.is_held_out]
    return max(held, key=lambda level: level.lower_per_s or 0.0, default=None)


def server_ceiling_per_s(record: CapacityRecord) -> float | None:
    """Returns the tasks per second that would saturate one core of the server.

    It extrapolates the regression line of CPU versus rate over all valid trials: the intercept is
    the idle load, the slope the cost of a task. None where the trials are too few or too similar.
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
