"""Parts of pictures: what is kept of a long series, how lines look, what axes say."""

import math

import pytest

from bench.reports.plots import canvas
from bench.reports.plots.durations import short_duration
from bench.reports.plots.inline import inlined
from bench.reports.plots.spectrum import percentile_label
from bench.reports.plots.thinning import extremes, highest


@pytest.mark.parametrize("place", [0, 1801, 3599])
def test_a_peak_of_one_second_is_kept_where_it_was(place: int) -> None:
    points = [(float(at), 7.0 if at == place else 1.0) for at in range(3600)]
    assert (float(place), 7.0) in highest(points)
    assert len(highest(points)) <= 300


@pytest.mark.parametrize("odd", [0.0, 9.0])
def test_a_gap_is_kept_as_a_peak_is_where_both_matter(odd: float) -> None:
    points = [(float(at), odd if at == 1801 else 5.0) for at in range(3600)]
    kept = extremes(points)
    assert (1801.0, odd) in kept
    assert kept == sorted(kept)
    assert len(kept) <= 300


def test_seconds_without_a_figure_hide_no_other() -> None:
    points = [(float(at), math.nan if at % 12 else float(at)) for at in range(3600)]
    assert highest(points) == [(float(at), float(at)) for at in range(0, 3600, 12)]


def test_a_short_series_is_drawn_as_it_is() -> None:
    points = [(float(at), float(at * 7 % 5)) for at in range(300)]
    assert highest(points) == points
    assert extremes(points) == points


def test_an_inlined_picture_changes_its_tags_and_not_its_text() -> None:
    text = 'id="a" url(#a) #1b1b1f'
    svg = f'<svg width="9pt" height="9pt"><g id="a"><text>{text}</text></g></svg>'
    assert inlined(f'<?xml version="1.0"?>{svg}', "one", 'a "b"') == (
        '<svg fill="currentColor" role="img" aria-label="a &quot;b&quot;">'
        f'<g id="one-a"><text>{text}</text></g></svg>'
    )


def test_an_inlined_picture_needs_no_style() -> None:
    """A web server may forbid styles, which would leave black shapes without text."""
    style = f"font-size: 11px; font-family: 'A', sans-serif; fill: {canvas.PAPER}; stroke: #fff"
    assert inlined(f'<svg><text style="{style}">a</text></svg>', "one", "").endswith(
        '><text font-size="11px" fill="var(--ground, Canvas)" stroke="#fff">a</text></svg>'
    )


def test_lines_of_twelve_sub_queues_all_look_different() -> None:
    styles = [canvas.line_style(index, 100) for index in range(12)]
    assert len({(str(each["color"]), str(each["linestyle"])) for each in styles}) == 12
    assert len({(str(each["color"]), str(each["marker"])) for each in styles}) == 12


@pytest.mark.parametrize(
    ("seconds", "label"), [(0.001, "1 ms"), (0.0025, "2.5 ms"), (0.2, "200 ms"), (10.0, "10 s")]
)
def test_a_tick_says_no_digits_that_say_nothing(seconds: float, label: str) -> None:
    assert short_duration(seconds) == label


@pytest.mark.parametrize(
    ("inverse", "label"),
    [(1, "0%"), (10, "90%"), (100, "99%"), (1000, "99.9%"), (100_000, "99.999%")],
)
def test_a_percentile_is_named_by_its_nines(inverse: float, label: str) -> None:
    assert percentile_label(inverse) == label
