"""Offered rates over time as Locust shapes: steps, ramp, spike, daily sine, and a trace file.

Pass one beside the locustfile: ``locust -f locustfiles/runqy.py,locustfiles/shapes/spike.py``.
Open-loop users follow the shape's rate exactly, task by task, whatever their number. Closed-loop
users have no rate: for them the number of users follows the shape.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from locust import LoadTestShape

from bench import units
from bench.errors import BenchError, ScenarioError, UsageError, quoted
from bench.workload.quantities import read_duration, require_possible_rate
from bench.workload.schedule import RateProfile, RateStage
from bench.workload.trace import stages_of
from bench.workload.trace_columns import read_columns

_DEFAULT_PEAK = "1000/s"
_DEFAULT_USERS = 10
_SPAWN_PER_S = 100
_SINE_PIECES = 48
"""Number of linear pieces that approximate the sine: one per half hour, within 0.2% of it."""
_LEAST_PER_S = 1e-3
"""Stands for a rate of zero inside a trace, where the schedule needs a positive one."""


class RateShape(LoadTestShape):
    """Base of all shapes: an offered rate over time, which subclasses define."""

    abstract = True
    use_common_options = True
    _stages: Sequence[RateStage] = ()

    @abstractmethod
    def stages_of(self, peak_per_s: float, duration_s: float) -> Sequence[RateStage]:
        """Returns the rate stages whose peak is ``peak_per_s`` (``--rate``)."""

    def prepare(self, options: Mapping[str, Any]) -> None:
        """Reads Locust's options. Raises UsageError or ScenarioError."""
        peak_per_s = _peak_per_s(str(options.get("rate") or _DEFAULT_PEAK))
        duration_s = _duration_s(str(options.get("shape_duration") or "2m"))
        self._trace = options.get("trace")
        self._stages = self.stages_of(peak_per_s, duration_s)
        self._users = int(options.get("num_users") or _DEFAULT_USERS)

    def lacks_part(self, options: Mapping[str, Any]) -> bool:
        """Returns whether these options leave out something that the shape cannot be without."""
        return False

    @property
    def duration_s(self) -> float:
        """Total duration of all rate stages."""
        return math.fsum(stage.duration_s for stage in self._stages)

    def stages_text(self) -> str:
        """Returns the rate stages in the syntax of the scenario field ``stages``."""
        return ",".join(
            f"{stage.duration_s:.6f}s@{stage.start_per_s:.6f}/s..{stage.end_per_s:.6f}/s"
            for stage in self._stages
        )

    def tick(self) -> tuple[int, float] | None:
        """Returns the current number of users and spawn rate; None at the end. Called by Locust."""
        runner: Any = self.runner
        environment = runner.environment
        if not self._stages:
            try:
                self.prepare(vars(environment.parsed_options))
            except BenchError:
                return 1, _SPAWN_PER_S  # starts the test, and that reports the error
        now_s = self.get_run_time()  # type: ignore[no-untyped-call]
        if now_s >= self.duration_s:
            return None
        if not any(getattr(each, "is_closed_loop", None) for each in environment.user_classes):
            return self._users, _SPAWN_PER_S
        profile = RateProfile(self._stages)
        peak = max(max(stage.start_per_s, stage.end_per_s) for stage in self._stages)
        return max(round(self._users * profile.rate_at(now_s) / peak), 1), _SPAWN_PER_S


def _peak_per_s(text: str) -> float:
    try:
        return require_possible_rate(units.parse_rate(text))
    except UsageError as error:
        raise UsageError(f"--rate: {error}") from None


def _duration_s(text: str) -> float:
    try:
        return read_duration(text)
    except UsageError as error:
        raise UsageError(f"--shape-duration: {error}") from None


class Steps(RateShape):
    """Five equal steps up to the peak: at which rate does latency rise?"""

    abstract = True
    steps = 5

    def stages_of(self, peak_per_s: float, duration_s: float) -> Sequence[RateStage]:
        """Returns steps of equal length."""
        length_s = duration_s / self.steps
        rates = [peak_per_s * number / self.steps for number in range(1, self.steps + 1)]
        return [RateStage(length_s, rate, rate) for rate in rates]


class Ramp(RateShape):
    """A linear ramp from a tenth of the peak to the peak."""

    abstract = True

    def stages_of(self, peak_per_s: float, duration_s: float) -> Sequence[RateStage]:
        """Returns one rate stage."""
        return [RateStage(duration_s, peak_per_s / 10, peak_per_s)]


class Spike(RateShape):
    """A fifth of the peak, then the peak for a tenth of the time, then a fifth again."""

    abstract = True

    def stages_of(self, peak_per_s: float, duration_s: float) -> Sequence[RateStage]:
        """Returns the stages before, during and after the spike."""
        base = peak_per_s / 5
        return [
            RateStage(duration_s * 0.4, base, base),
            RateStage(duration_s * 0.1, peak_per_s, peak_per_s),
            RateStage(duration_s * 0.5, base, base),
        ]


class DailySine(RateShape):
    """A compressed day: a tenth of the peak at night, the peak at noon, and back."""

    abstract = True

    def stages_of(self, peak_per_s: float, duration_s: float) -> Sequence[RateStage]:
        """Returns linear pieces between points of the sine."""

        def rate(piece: int) -> float:
            day = (1 - math.cos(2 * math.pi * piece / _SINE_PIECES)) / 2
            return peak_per_s * (0.1 + 0.9 * day)

        length_s = duration_s / _SINE_PIECES
        return [RateStage(length_s, rate(piece), rate(piece + 1)) for piece in range(_SINE_PIECES)]


class Trace(RateShape):
    """The rates of a CSV file (``--trace``), interpolated linearly between its rows.

    Its columns are time_s and rate_per_s, as in the scenario field ``trace``.
    """

    abstract = True

    def lacks_part(self, options: Mapping[str, Any]) -> bool:
        """Returns whether no file is named."""
        return not options.get("trace")

    def stages_of(self, peak_per_s: float, duration_s: float) -> Sequence[RateStage]:
        """Returns the stages in the file, which has its own rates and its own length."""
        if not self._trace:
            raise ScenarioError("trace: name a CSV file with --trace")
        return read_trace(Path(str(self._trace)))


def read_trace(path: Path) -> list[RateStage]:
    """Returns the rate stages of a trace of rates, as ``bench run --trace`` reads it.

    Raises ScenarioError with the file's path, the line and the column.
    """
    if "\0" in str(path):
        raise ScenarioError(f"trace {quoted(str(path))}: not the name of a file")
    return [
        RateStage(
            each.duration_s, max(each.start_per_s, _LEAST_PER_S), max(each.end_per_s, _LEAST_PER_S)
        )
        for each in stages_of(read_columns(path), path)
    ]
