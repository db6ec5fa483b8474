"""Whole jobs of the gate on simulated machines: how often they are wrong, and how soon they end.

All trials are computed at once. ``tests/analysis/test_gate_simulation.py`` checks that they decide
as ``bench.analysis.rule`` does.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis import rule, sequential, signed_rank, voids
from bench.analysis.sequential import Analyses
from bench.analysis.significance import student_t
from bench.arrays import Flags, Floats
from tests.analysis.noise import DRIFT, NOISE

_KEPT = 0.9
"""How much of its drift the machine still has at the next run."""
_FREEDOM = 3
"""Degrees of freedom of Student's t, with which a run in fifty is far off."""
_NOISE_PAIRS = 3
_SEED = 20
_AT_ONCE = 500
"""Trials that are computed together: each has 1,024 ways for its signs to fall."""
_CANARY_NOISE = 0.01
_DISAGREEMENT = math.log1p(voids.MOST_APART["spin"])
"""By how much, as a logarithm, the canaries of two runs differ where their pair is void."""


@dataclass(frozen=True)
class Machine:
    """What moves the figures of runs that do the same. All are standard deviations of logarithms,
    except for the shares."""

    drift: float = DRIFT
    """Of the machine's speed; each run keeps nine tenths of that of the run before."""
    noise: float = NOISE
    """Of single runs, with heavy tails, half of it common to the metrics of a run."""
    between_starts: float = 0.0
    """Of what a start of server and workers settles on; every run has its own."""
    outliers: float = 0.0
    """Share of runs that are longer by a mean of 50% (exponential)."""
    disturbed: float = 0.0
    """Share of runs during which something else uses the machine: they take half as long again, and
    so does the canary."""
    misled: float = 0.0
    """Share of runs whose canary takes twice as long, although the run does not."""
    is_opposed: bool = False
    """Whether noise moves two metrics in opposite directions."""


NOISY, QUIET = Machine(), Machine(drift=0.02, noise=0.01)


@dataclass(frozen=True)
class GateCase:
    """Jobs of one kind."""

    name: str
    worse: Sequence[float]
    """True change of each gated metric: 0.2 is a candidate that is 20% worse."""
    machine: Machine = NOISY
    pairs: int = 10
    voids: bool = False
    """Whether pairs whose canaries disagree are void and made up for."""


@dataclass(frozen=True)
class Outcome:
    """Shares of the jobs of a case, and the mean number of pairs they took."""

    alarm: float
    """Any metric is a regression."""
    passed: float
    """Every metric is no worse or better."""
    better: float
    """Some metric is an improvement, and none is a regression."""
    pairs: float
    """Pairs that were measured, void ones included."""


@dataclass(frozen=True)
class Measured:
    """Jobs of one length. ``ratios`` are (jobs, pairs, metrics) and ``margins`` (jobs, metrics)."""

    ratios: Floats
    margins: Floats
    made: Floats
    """(jobs, pairs): how many pairs had been measured with each of these, void ones included."""


def outcome(case: GateCase, analyses: Analyses, trials: int, seed: int = _SEED) -> Outcome:
    """Returns what becomes of so many jobs with these analyses."""
    generator = np.random.default_rng(seed)
    totals = np.zeros(4)
    for first in range(0, trials, _AT_ONCE):
        count = min(_AT_ONCE, trials - first)
        for measured in _measured(generator, case, count):
            ended = analyses.ended_at(measured.ratios.shape[1])
            totals += decide(measured, ended).sum(axis=0)
    return Outcome(*(totals / trials).tolist())


def decide(measured: Measured, analyses: Analyses) -> Floats:
    """Returns for each job (jobs, 4): alarm, passed, better (each 0 or 1) and its pairs.

    A job ends at the first of the analyses at which its decision is plain, or at the last.
    """
    ratios, margins = measured.ratios, np.log1p(measured.margins)[:, None, :]
    worse: Flags = _corrected(_p_greater(ratios - margins, analyses)) <= rule.ALPHA
    better: Flags = _corrected(_p_greater(-ratios - margins, analyses)) <= rule.ALPHA
    below: Flags = _p_greater(margins - ratios, analyses) <= rule.ALPHA
    may_be_better: Flags = (_estimates(ratios, analyses) < -margins) & ~better
    is_worse, is_better = np.any(worse, axis=2), np.any(better, axis=2)
    is_fine = np.all(below | better, axis=2)
    plain = is_worse | (is_fine & ~np.any(may_be_better, axis=2))
    plain[:, -1] = True
    end = plain.argmax(axis=1)
    job = np.arange(len(ratios)), end
    pairs = measured.made[job[0], np.array(analyses.counts)[end] - 1]
    alarm = is_worse[job]
    made = [alarm, is_fine[job] & ~alarm, is_better[job] & ~alarm, pairs]
    return np.stack(made, axis=1).astype(np.float64)


def _p_greater(values: Floats, analyses: Analyses) -> Floats:
    """Returns sequential p values (jobs, analyses, metrics) of values (jobs, pairs, metrics)."""
    found = [_p_of_metric(values[:, :, each], analyses) for each in range(values.shape[2])]
    return np.stack(found, axis=2)


def _p_of_metric(values: Floats, analyses: Analyses) -> Floats:
    """The same for one metric (jobs, pairs), without ties."""
    ways = np.array(list(itertools.product((0, 1), repeat=values.shape[1])), np.int16)
    smallest = np.full(len(values), math.inf)
    by_chance = np.full((len(values), len(ways)), math.inf)
    to_come, found = 1.0, []
    for count, share in analyses.reached(values.shape[1]):
        used = values[:, :count]
        ranks = (np.abs(used).argsort(axis=1).argsort(axis=1) + 1).astype(np.int16)
        chances = signed_rank.ranked(np.arange(1.0, count + 1))[1][::2] / share
        np.minimum(smallest, chances[(ranks * (used > 0)).sum(axis=1)], out=smallest)
        np.minimum(by_chance, chances[ranks @ ways[:, :count].T], out=by_chance)
        to_come -= share
        within = by_chance <= smallest[:, None] * (1 + 1e-9)
        found.append(within.mean(axis=1) + smallest * max(to_come, 0.0))
    p_values: Floats = np.minimum(np.stack(found, axis=1), 1.0)
    return p_values


def _corrected(p_values: Floats) -> Floats:
    """Returns the p values corrected over the metrics, the last axis (Hochberg)."""
    order = np.argsort(-p_values, axis=2)
    falling = np.take_along_axis(p_values, order, axis=2)
    falling = np.minimum.accumulate(falling * np.arange(1, p_values.shape[2] + 1), axis=2)
    corrected: Floats = np.take_along_axis(falling, np.argsort(order, axis=2), axis=2)
    return corrected


def _estimates(ratios: Floats, analyses: Analyses) -> Floats:
    """Returns the Hodges-Lehmann estimates (jobs, analyses, metrics) of log ratios."""
    found = []
    for count in analyses.counts:
        first, second = np.triu_indices(count)
        found.append(np.median((ratios[:, first] + ratios[:, second]) / 2, axis=1))
    estimates: Floats = np.stack(found, axis=1)
    return estimates


# --- The machine ----------------------------------------------------------------------------------


def _measured(generator: np.random.Generator, case: GateCase, jobs: int) -> Iterator[Measured]:
    """Yields the jobs, grouped by how many pairs they could compare."""
    spare = 0.5 if case.voids else 0.0
    noise_pairs = _NOISE_PAIRS + math.ceil(_NOISE_PAIRS * spare)
    pairs = case.pairs + math.ceil(case.pairs * spare)
    runs = 2 * (noise_pairs + pairs)
    times, canaries = _runs(generator, case.machine, (jobs, runs, len(case.worse)))
    ratios = times[:, 1::2] - times[:, 0::2]
    ratios[:, noise_pairs + 1 :: 2] *= -1  # every second pair ran the candidate first
    void = np.abs(canaries[:, 1::2] - canaries[:, 0::2]) > _DISAGREEMENT
    void &= case.voids
    margins = _margins(ratios[:, :noise_pairs], void[:, :noise_pairs], case.pairs)
    ratios = ratios[:, noise_pairs:] + np.log1p(np.array(case.worse))
    yield from _of_equal_length(ratios, margins, void[:, noise_pairs:], case.pairs)


def _of_equal_length(
    ratios: Floats, margins: Floats, void: Flags, planned: int
) -> Iterator[Measured]:
    order = np.argsort(void, axis=1, kind="stable")  # those that are compared, in their order
    # A job without a single pair to compare is as inconclusive as one with a single pair.
    usable = np.clip((~void).sum(axis=1), 1, planned)
    ordered = np.take_along_axis(ratios, order[:, :, None], axis=1)
    for count in np.unique(usable).tolist():
        chosen = usable == count
        made: Floats = order[chosen, :count].astype(np.float64) + 1
        if count < planned:  # all spare pairs were made, and it was not enough
            made[:, -1] = void.shape[1]
        yield Measured(ordered[chosen, :count], margins[chosen], made)


def _margins(alone: Floats, void: Flags, planned: int) -> Floats:
    """Returns the margins (jobs, metrics) that follow from pairs of the base with itself."""
    used = (~void) & ((~void).cumsum(axis=1) <= _NOISE_PAIRS)
    count = np.maximum(used.sum(axis=1), 1)
    noise = np.sqrt((alone**2 * used[:, :, None]).sum(axis=1) / count[:, None])
    quantiles = np.array([student_t(1 - rule.ALPHA, max(each, 1)) for each in range(4)])
    floors = np.expm1(quantiles[count][:, None] * noise / math.sqrt(planned))
    margins: Floats = np.maximum(floors, rule.MARGIN)
    return margins


def _runs(
    generator: np.random.Generator, machine: Machine, shape: tuple[int, int, int]
) -> tuple[Floats, Floats]:
    """Returns the logarithms of what runs take (jobs, runs, metrics), and of their canaries."""
    jobs, runs, _ = shape
    drift = generator.standard_normal((jobs, runs)) * machine.drift
    for run in range(1, runs):
        drift[:, run] = _KEPT * drift[:, run - 1] + math.sqrt(1 - _KEPT**2) * drift[:, run]
    starts = generator.standard_normal((jobs, runs)) * machine.between_starts
    is_outlier = generator.random((jobs, runs)) < machine.outliers
    outliers = np.log1p(generator.exponential(0.5, (jobs, runs))) * is_outlier
    disturbance = math.log(1.5) * (generator.random((jobs, runs)) < machine.disturbed)
    canaries = drift + disturbance + generator.standard_normal((jobs, runs)) * _CANARY_NOISE
    if machine.misled:
        canaries += math.log(2) * (generator.random((jobs, runs)) < machine.misled)
    common = drift + starts + outliers + disturbance
    return common[:, :, None] + _own_noise(generator, machine, shape), canaries


def _own_noise(
    generator: np.random.Generator, machine: Machine, shape: tuple[int, int, int]
) -> Floats:
    scale = machine.noise / math.sqrt(_FREEDOM / (_FREEDOM - 2))
    shared = generator.standard_t(_FREEDOM, (*shape[:2], 1)) * scale
    if machine.is_opposed:
        return np.concatenate([shared, -shared], axis=2)
    if shape[2] == 1:
        return shared
    own: Floats = generator.standard_t(_FREEDOM, shape) * scale
    return math.sqrt(0.5) * (shared + own)


# --- The table ------------------------------------------------------------------------------------

OUTLIERS = Machine(outliers=0.05)
RESTARTS = Machine(drift=0.02, noise=0.01, between_starts=0.04)
DISTURBED = Machine(drift=0.02, noise=0.02, disturbed=0.1)
OFTEN_DISTURBED = Machine(drift=0.02, noise=0.02, disturbed=0.4)
MISLED = Machine(misled=0.05)
OPPOSED = Machine(drift=0.02, is_opposed=True)
MARGIN = rule.MARGIN
CASES = (
    GateCase("quiet machine", [0.0], QUIET),
    GateCase("quiet machine", [0.0, 0.0], QUIET),
    GateCase("quiet machine", [MARGIN, MARGIN], QUIET),
    GateCase("quiet machine", [0.2, 0.2], QUIET),
    GateCase("quiet machine", [0.2, 0.0], QUIET),
    GateCase("drift and heavy tails", [0.0]),
    GateCase("drift and heavy tails", [0.0, 0.0]),
    GateCase("drift and heavy tails", [MARGIN]),
    GateCase("drift and heavy tails", [MARGIN, MARGIN]),
    GateCase("drift and heavy tails", [MARGIN] * 4),
    GateCase("drift and heavy tails", [0.1]),
    GateCase("drift and heavy tails", [0.1, 0.1]),
    GateCase("drift and heavy tails", [0.15]),
    GateCase("drift and heavy tails", [0.15, 0.15]),
    GateCase("drift and heavy tails", [0.2]),
    GateCase("drift and heavy tails", [0.2, 0.2]),
    GateCase("drift and heavy tails", [0.2, 0.0]),
    GateCase("metrics that noise moves in opposite directions", [0.0, 0.0], OPPOSED),
    GateCase("metrics that noise moves in opposite directions", [MARGIN, MARGIN], OPPOSED),
    GateCase("starts that differ by 4%", [0.0], RESTARTS),
    GateCase("starts that differ by 4%", [MARGIN], RESTARTS),
    GateCase("starts that differ by 4%", [0.2], RESTARTS),
    GateCase("one run of 20 longer by half", [0.0], OUTLIERS),
    GateCase("one run of 20 longer by half", [MARGIN], OUTLIERS),
    GateCase("one run of 20 longer by half", [0.2], OUTLIERS),
    GateCase("one run of 10 disturbed", [0.0], DISTURBED),
    GateCase("one run of 10 disturbed", [MARGIN], DISTURBED),
    GateCase("one run of 10 disturbed", [0.2], DISTURBED),
    GateCase("… pairs void by their canaries", [0.0], DISTURBED, voids=True),
    GateCase("… pairs void by their canaries", [MARGIN], DISTURBED, voids=True),
    GateCase("… pairs void by their canaries", [0.2], DISTURBED, voids=True),
    GateCase("… four runs of 10 disturbed", [MARGIN], OFTEN_DISTURBED, voids=True),
    GateCase("… four runs of 10 disturbed", [0.2], OFTEN_DISTURBED, voids=True),
    GateCase("drift and heavy tails, a pair of 10 void by chance", [0.0], MISLED, voids=True),
    GateCase("drift and heavy tails, a pair of 10 void by chance", [MARGIN], MISLED, voids=True),
    GateCase("drift and heavy tails, a pair of 10 void by chance", [0.2], MISLED, voids=True),
    GateCase("drift and heavy tails", [0.0], pairs=6),
    GateCase("drift and heavy tails", [MARGIN, MARGIN], pairs=6),
    GateCase("drift and heavy tails", [0.2], pairs=6),
)


def table(trials: int) -> str:
    """Returns the table of docs/comparing.md: each case stopping early, and with a fixed plan."""
    lines = [
        "| machine | planned | truly worse by | alarm | passed | pairs taken | fixed: alarm "
        "| fixed: passed |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for case in CASES:
        early = outcome(case, sequential.planned(case.pairs), trials)
        fixed = outcome(case, sequential.once(case.pairs), trials)
        lines.append(
            f"| {case.name} | {case.pairs} | {_changes(case.worse)} | {early.alarm:.1%} "
            f"| {early.passed:.1%} | {early.pairs:.1f} | {fixed.alarm:.1%} | {fixed.passed:.1%} |"
        )
    return "\n".join(lines)


def _changes(worse: Sequence[float]) -> str:
    names = {0.0: "nothing", MARGIN: "5%, the margin"}
    each = [names.get(change, f"{change:.0%}") for change in worse]
    if len(set(each)) == 1:
        return each[0] if len(each) == 1 else f"{each[0]} ({len(each)} metrics)"
    return ", ".join(each)
