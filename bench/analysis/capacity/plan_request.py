"""What a plan is asked for, and what it weighs: numbers of workers or slots."""

import msgspec


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A sizing question: the rate to plan for, and the assumptions to plan with."""

    rate_per_s: float
    headroom: float
    """Share of each capacity to keep free."""
    slo: tuple[str, ...] = ()
    """Objectives of the search that must be met; empty for all of them."""
    backlog: int = 1_000_000
    """Number of tasks in the backlog whose drain time is planned."""
    memory_bytes: int | None = None
    """Memory of one server; None where it is unknown."""
    keep_s: float | None = None
    """How long finished tasks are kept; None to count none."""
    kept_bytes: int | None = None
    """Memory of a kept task; None for that of a queued one."""
    service_s: float | None = None
    """Mean service time to assume; None for the measured one."""
    mix: dict[str, float] | None = None
    """Weights of the sub-queues to assume, highest priority first; None for the scenario's own."""


class PlanOption(msgspec.Struct, frozen=True, kw_only=True):
    """One number of workers or slots, and whether it is enough."""

    units: int
    holds_per_s: float
    """Rate that they sustain; for a modelled one, the low end of its interval."""
    basis: str
    """``measured``; ``modelled`` between measured numbers, or for another service time; or
    ``extrapolated`` beyond them."""
    of_units: int
    """The number whose rate it is; fewer than ``units`` where more add nothing that is known."""
    headroom: float
    """Share of the sustained rate that stays free; negative where the option is too small."""
    rejected: str
    """Reason why the option is not enough; empty for one that is."""
