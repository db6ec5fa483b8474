"""What all pictures share: sizes, colours, legends, and saving.

The colours are those of Okabe and Ito ("Color universal design", 2008), which colour-blind readers
can tell apart.
"""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench import units
from bench.errors import UsageError
from bench.files import write_whole
from bench.inert import visible

BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"),
)
QUIET = "#808080"
"""Colour of auxiliary lines, readable on white and on black."""
INK = "#1b1b1f"
"""Colour of text, axes and grid. Nothing else has it, so a page can substitute its own."""
PAPER = "#fefefe"
"""Colour behind text that lines cross, which a page can substitute as well."""
LINES: Sequence[dict[str, Any]] = (
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": RED, "linestyle": "--", "marker": "s"},
    {"color": GREEN, "linestyle": "-.", "marker": "^"},
    {"color": PURPLE, "linestyle": ":", "marker": "D"},
    {"color": ORANGE, "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5)), "marker": "v"},
    {"color": SKY, "linestyle": (0, (9, 3)), "marker": "P"},
)
"""Styles of lines, each with its own colour, dashes and marker."""
_SIZE_INCHES = (9.0, 4.5)
_MARKERS_A_LINE = 8
_LETTER_POINTS = 5.8
"""Average width of a letter in the legend."""
_FORMATS = (".png", ".svg")
_STYLE: dict[Any, Any] = {  # Matplotlib types the keys as three hundred literals
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name starts no formula
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.2,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
}


@contextmanager
def picture(
    title: str, size: tuple[float, float] = _SIZE_INCHES, banner: str = ""
) -> Iterator[tuple[Figure, Axes]]:
    """Yields a figure with one pair of axes; ``size`` is its width and height in inches.

    ``banner`` stands below the title, in red, such as the verdict of a run that is not valid. The
    figure is laid out when it is saved.
    """
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=size, layout="constrained")
        axes = drawn.add_subplot()
        axes.set_title(f"{title}\n" if banner else title)
        if banner:
            _draw_banner(axes, banner)
        yield drawn, axes


def _draw_banner(axes: Axes, text: str) -> None:
    """Write the banner in the line that the title leaves free."""
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 6),
        textcoords="offset points",
        color=RED,
        fontweight="bold",
    )


def require_format(path: Path) -> None:
    """Raises UsageError when the file's name ends in no supported picture format."""
    if path.suffix not in _FORMATS:
        raise UsageError(f"{path}: a picture's name ends in {' or '.join(_FORMATS)}")


def save(drawn: Figure, path: Path) -> None:
    """Save a figure in the format that the file's name ends in.

    Raises UsageError for another format, and when the file cannot be written.
    """
    require_format(path)
    write_whole(path, data(drawn, path.suffix[1:]))


def data(drawn: Figure, kind: str, *, is_clear: bool = False) -> bytes:
    """Returns the content of a picture file.

    ``kind`` is ``png`` or ``svg``; the background is white unless ``is_clear``.
    """
    out = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A glyph that the font lacks is drawn as a box in a PNG; in an SVG the text is kept.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Without a date, equal data give equal files.
        metadata = {"Date": None} if kind == "svg" else {}
        drawn.savefig(out, format=kind, dpi=150, metadata=metadata, transparent=is_clear)
    made = out.getvalue()
    # XML has no escapes for control characters, such as those of a name: no reader would take it.
    return visible(made.decode(), keep="\n").encode() if kind == "svg" else made


def line_style(index: int, points: int) -> dict[str, Any]:
    """Returns the style of line number ``index``, which has that many points.

    Its few markers are offset from those of the neighbouring lines.
    """
    step = max(points // _MARKERS_A_LINE, 1)
    color = LINES[index % len(LINES)]["color"]
    shape = LINES[(index + index // len(LINES)) % len(LINES)]  # a colour repeats with another shape
    return {
        **shape,
        "color": color,
        "markersize": 5,
        "markevery": (index * step // len(LINES) % step, step),
    }


def count_ticks(axis: Axis) -> None:
    """Label an axis with counts: ``12,000``."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: units.format_count(value)))


def legend(drawn: Figure, handles: Sequence[Artist], *, is_narrow: bool) -> None:
    """Add a legend below the axes, where no line crosses it."""
    handle, gap = (2.4, 1.2) if is_narrow else (3.0, 2.0)
    drawn.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=_columns(drawn, handles, (handle + gap + 0.8) * float(_STYLE["font.size"])),
        handlelength=handle,
        columnspacing=gap,
    )


def _columns(drawn: Figure, handles: Sequence[Artist], handle_points: float) -> int:
    """Returns the largest number of columns whose legend fits into the picture's width."""
    letters = [len(str(handle.get_label())) for handle in handles]
    for columns in range(len(handles), 1, -1):
        longest = [max(column) for column in np.array_split(letters, columns)]
        width = sum(handle_points + _LETTER_POINTS * count for count in longest)
        if width <= 72 * drawn.get_figwidth():
            return columns
    return 1
