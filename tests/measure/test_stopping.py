"""When a run ends because its figures are known well enough."""

import pytest

from bench.measure.interim import LookFigure
from bench.measure.stopping import StoppingRule
from bench.workload.until import parse_target

P99, RATE = parse_target("e2e.p99 ±5%"), parse_target("completed.rate ±2/s")


def rule(*halves: tuple[float | None, float]) -> StoppingRule:
    """A rule after looks with these half widths of a p99 of 100 ms, in ms, and of a rate."""
    made = StoppingRule([P99, RATE])
    for p99_ms, per_s in halves:
        p99 = LookFigure(0.1, 2.0, None if p99_ms is None else p99_ms / 1e3, withheld="")
        figures = {P99.expression: p99, RATE.expression: LookFigure(50.0, 1.0, per_s)}
        made.note(made.next_s + 12, made.next_s, figures)
    return made


@pytest.mark.parametrize(
    ("halves", "ends"),
    [
        ([], False),
        ([(5, 2)], False),
        ([(5, 2), (5, 2)], False),
        ([(5, 2), (5, 2), (5, 2)], True),
        ([(5, 2), (5, 2), (5.1, 2), (5, 2)], False),
        ([(5, 2), (5, 2.1), (5, 2), (5, 2)], False),
        ([(None, 2), (None, 2), (None, 2)], False),
        ([(6, 9), (None, 2), (4, 1), (4, 1), (4, 1)], True),
    ],
)
def test_it_ends_after_three_looks_in_succession_at_which_every_figure_is_precise(
    halves: list[tuple[float | None, float]], ends: bool
) -> None:
    assert rule(*halves).is_reached is ends


def test_looks_are_recorded_with_what_they_found() -> None:
    first, second, *_ = rule((7.5, 1), (5, 1)).analyses
    assert (first.at_s, first.window_s, first.asked) == (72, 60, "e2e.p99 ±5%")
    assert (first.value, first.half_width, first.is_precise) == (0.1, 0.0075, False)
    assert (second.asked, second.is_precise) == ("completed.rate ±2/s", True)


def test_a_look_that_came_late_is_not_made_up_for() -> None:
    made = rule((5, 2))
    made.note(400, 310, {P99.expression: LookFigure(0.1), RATE.expression: LookFigure(1.0)})
    assert made.next_s == 455


def test_the_design_effect_of_the_last_look_is_passed_on() -> None:
    made = rule((5, 2))
    assert (made.largest_effect(P99), made.largest_effect(RATE)) == (2.0, 1.0)
    assert StoppingRule([P99]).largest_effect(P99) == 0.0
