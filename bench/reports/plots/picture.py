"""A picture that is drawn when it is asked for, in the form that is asked for."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reports.plots import canvas
from bench.reports.plots.inline import inlined

_WIDE_INCHES = 8.4
_NARROW_INCHES = 4.1
"""For a phone: drawn anew rather than shrunk, as half-size letters cannot be read."""
_NARROW_LETTERS = 42
"""How many of a title fit into it."""

Draw = Callable[[Figure, Axes, bool], None]
"""Draws on the axes; the last argument says whether they are narrow."""


@dataclass(frozen=True)
class Picture:
    """One picture. The caption is a sentence or two that say what there is to see."""

    name: str
    title: str
    caption: str
    height_inches: float
    draw: Draw
    mark: str = ""
    """Stands below the title, and is read with it."""

    def inline(self, prefix: str, *, is_narrow: bool) -> str:
        """An ``<svg>`` element in the page's own colours; ``prefix`` is unique in the page."""
        drawn = canvas.data(self._drawn(is_narrow), "svg", is_clear=True).decode()
        width = "narrow" if is_narrow else "wide"
        return inlined(drawn, f"{prefix}-{self.name}-{width}", self._said())

    def file(self, kind: str) -> bytes:
        """A file of its own on white: png or svg."""
        return canvas.data(self._drawn(False), kind)

    def _said(self) -> str:
        return ". ".join(filter(None, (self.title, self.mark, self.caption)))

    def _drawn(self, is_narrow: bool) -> Figure:
        width = _NARROW_INCHES if is_narrow else _WIDE_INCHES
        title = textwrap.fill(self.title, _NARROW_LETTERS) if is_narrow else self.title
        with canvas.picture(title, (width, self.height_inches), self.mark) as (drawn, axes):
            self.draw(drawn, axes, is_narrow)
        return drawn
