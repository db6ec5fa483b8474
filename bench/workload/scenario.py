"""A scenario: everything about a run that is decided before it, as one frozen value.

Users write scenarios as TOML, or name a built-in one, and override single fields by flags. All of
these become a mapping of field names to values as written; ``resolve`` turns that mapping into a
``Scenario`` in base units, or reports in one line what is wrong with it.
"""

import math

from bench.layouts import registry
from bench.wire.layout_contract import Layout
from bench.workload.scenario_fields import ScenarioFields
from bench.workload.schedule import RateProfile, RateStage
from bench.workload.trace import rate_stages

MOST_WARMUP_S = 10.0
MOST_WARMUP_SHARE = 0.25


class Scenario(ScenarioFields, frozen=True, kw_only=True):
    """The whole workload as resolved: its fields, and what follows from them."""

    @property
    def wire_layout(self) -> Layout:
        """The layout of the task queue, with the duplicate check where the scenario asks for it."""
        return registry.get(self.layout).variant(duplicate_check=self.duplicate_check)

    @property
    def fine_objectives(self) -> tuple[str, ...] | None:
        """The objectives whose state is recorded every ten milliseconds, as in a run with faults;
        None where nothing is."""
        return self.slo if self.faults else None

    @property
    def is_closed_loop(self) -> bool:
        """Whether tasks are sent as fast as replies arrive, rather than when they are due."""
        return self.arrivals == "max"

    @property
    def has_workers(self) -> bool:
        """Whether anything is expected to serve the queues."""
        return self.workers > 0 or self.external_workers or self.is_observed

    @property
    def is_observed(self) -> bool:
        """Whether the workers report nothing, so that completions are observed from outside."""
        return self.worker == "external"

    @property
    def service_weights(self) -> dict[str, float]:
        """The weights by which ``weighted`` priority serves the sub-queues, the highest first.

        Scenarios of records from before there were priorities served them by their shares.
        """
        return self.priorities or self.queues

    @property
    def profile(self) -> RateProfile:
        """The offered rate over time.

        Raises ValueError for a closed loop and for a trace of tasks, which have none.
        """
        if self.stages:
            return RateProfile(self.stages)
        if self.trace is not None and self.trace.kind == "rates":
            return RateProfile(rate_stages(self.trace, self.speed))
        if self.rate_per_s is None:
            raise ValueError("a closed loop has no rate profile, nor has a trace of tasks")
        duration_s = math.inf if self.duration_s is None else self.duration_s
        return RateProfile([RateStage(duration_s, self.rate_per_s, self.rate_per_s)])

    @property
    def planned_duration_s(self) -> float | None:
        """How long enqueueing is planned to last, or None where only a number of tasks ends it."""
        if self.stages:
            return math.fsum(stage.duration_s for stage in self.stages)
        if self.trace is not None:
            return self.trace.duration_s / self.speed
        if self.tasks is None or self.rate_per_s is None:
            return self.duration_s
        return min(self.tasks / self.rate_per_s, self.duration_s or math.inf)

    @property
    def most_warmup_s(self) -> float:
        """The upper bound on a warm-up that is still to be found, in seconds."""
        planned_s = self.planned_duration_s
        if planned_s is None:  # bounded by a number of tasks: how long that takes is not known
            return MOST_WARMUP_S
        return min(MOST_WARMUP_S, MOST_WARMUP_SHARE * planned_s)

    @property
    def warmup_until_s(self) -> float:
        """When the warm-up is over at the latest, in seconds after the start."""
        return self.most_warmup_s if self.warmup_s is None else self.warmup_s

    @property
    def peak_per_s(self) -> float:
        """The highest offered rate at any moment; zero for a closed loop, which has none."""
        if self.trace is not None:
            return self.trace.peak_per_s * self.speed
        rates = [rate for stage in self.stages for rate in (stage.start_per_s, stage.end_per_s)]
        return max(rates, default=self.rate_per_s or 0.0)

    @property
    def asked_per_s(self) -> float | None:
        """The mean offered rate over the planned duration, or None for a closed loop."""
        if self.is_closed_loop:
            return None
        if self.trace is not None:
            return self.trace.mean_per_s * self.speed
        if self.stages:
            profile = self.profile
            return profile.total / profile.duration_s
        return self.rate_per_s
