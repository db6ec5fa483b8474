"""A picture that is drawn on demand: inline in a page, or as a file."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.reports.plots import canvas
from bench.reports.plots.inline import inlined

_WIDE_INCHES = 8.4
_NARROW_INCHES = 4.1
"""Width for a phone: drawn separately, because half-size letters would be unreadable."""
_NARROW_LETTERS = 42
"""Letters of a title that fit into a narrow picture."""

Draw = Callable[[Figure, Axes, bool], None]
"""Draws on the axes of a figure; the last argument tells whether the picture is narrow."""


@dataclass(frozen=True)
class Picture:
    """One picture, with a caption that says what it shows."""

    name: str
    title: str
    caption: str
    height_inches: float
    draw: Draw
    banner: str = ""
    """Warning below the title, such as the verdict of a run that is not valid."""

    def inline(self, prefix: str, *, is_narrow: bool) -> str:
        """Returns an ``<svg>`` element in the page's colours; ``prefix`` is unique in the page."""
        drawn = canvas.data(self._drawn(is_narrow), "svg", is_clear=True).decode()
        width = "narrow" if is_narrow else "wide"
        return inlined(drawn, f"{prefix}-{self.name}-{width}", self._label())

    def file(self, kind: str) -> bytes:
        """Returns the content of a picture file on white; ``kind`` is ``png`` or ``svg``."""
        return canvas.data(self._drawn(False), kind)

    def _label(self) -> str:
        return ". ".join(filter(None, (self.title, self.banner, self.caption)))

    def _drawn(self, is_narrow: bool) -> Figure:
        width = _NARROW_INCHES if is_narrow else _WIDE_INCHES
        title = textwrap.fill(self.title, _NARROW_LETTERS) if is_narrow else self.title
        with canvas.picture(title, (width, self.height_inches), self.banner) as (drawn, axes):
            self.draw(drawn, axes, is_narrow)
        return drawn
