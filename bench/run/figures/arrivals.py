"""Whether a run's tasks were sent as its schedule asked, from the reports of all its producers."""

from bench.measure import arrivals, send_times, summary
from bench.measure.arrivals import Arrivals, Asked, Sends
from bench.measure.send_times import SentPoints
from bench.run.collected import CollectedRun
from bench.run.figures.rates import Window
from bench.workload.scenario import Scenario
from bench.workload.schedule import RateProfile


def arrivals_of(run: CollectedRun, window: Window) -> Arrivals:
    """Returns how the tasks were sent that were due in the window, those of all producers together:
    that is what the server gets."""
    process = _process(run.scenario)
    if run.scenario.is_closed_loop:
        return arrivals.not_judged(process, "closed loop: there is no schedule")
    samples = [each.sent_sample for each in run.producers if each.sent_sample is not None]
    if len(samples) < max(len(run.producers), 1):
        return arrivals.not_judged(process, "a producer did not report when it sent tasks")
    if any(each.held_us for each in run.producers):
        return arrivals.not_judged(process, "the server took nothing at times, by faults or not")
    points = send_times.merged(samples)
    points = SentPoints(
        points.numbers, points.due_us - run.line.start_us, points.sent_us - run.line.start_us
    )
    due_us = points.due_us
    start_us, end_us = window.start_s * 1e6, window.end_s * 1e6
    return arrivals.judge(
        Asked(process, _profile(run.scenario), samples[0].resolution_us, samples[0].every),
        Sends(
            points.chosen((due_us >= start_us) & (due_us <= end_us)),
            summary.add_bins([each.sent_by_bin for each in run.producers]),
            start_us,
            end_us,
        ),
    )


def _process(scenario: Scenario) -> str:
    if scenario.trace is not None and scenario.trace.kind == "tasks":
        return "trace"
    return scenario.arrivals


def _profile(scenario: Scenario) -> RateProfile | None:
    return None if _process(scenario) == "trace" else scenario.profile
