"""What all pictures share: size, colours that a colour-blind reader can tell apart, and saving.

The colours are those of Okabe and Ito ("Color universal design", 2008), by what they stand for.
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
from matplotlib.figure import Figure

from bench.errors import UsageError
from bench.files import write_whole

BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"),
)
QUIET = "#808080"
"""For lines that explain; readable on white and on black."""
INK = "#1b1b1f"
"""Of text, axes and grid: a colour that nothing else has, so that a page can put its own there."""
PAPER = "#fefefe"
"""Behind words that lines run through; likewise a page's to choose."""
LINES: Sequence[dict[str, Any]] = (
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": RED, "linestyle": "--", "marker": "s"},
    {"color": GREEN, "linestyle": "-.", "marker": "^"},
    {"color": PURPLE, "linestyle": ":", "marker": "D"},
    {"color": ORANGE, "linestyle": (0, (6, 1.5, 1, 1.5, 1, 1.5)), "marker": "v"},
    {"color": SKY, "linestyle": (0, (9, 3)), "marker": "P"},
)
"""Lines that differ in colour, dashes and marker alike."""
_SIZE_INCHES = (9.0, 4.5)
_MARKERS_A_LINE = 8
_LETTER_POINTS = 5.8
"""How wide a letter of the legend is, on average."""
_FORMATS = (".png", ".svg")
_STYLE: dict[Any, Any] = {  # its keys are a type of three hundred literals
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
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
    title: str, size: tuple[float, float] = _SIZE_INCHES, mark: str = ""
) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, of a width and height in inches, laid out when saved.

    A mark stands below the title: what nobody must overlook.
    """
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=size, layout="constrained")
        axes = drawn.add_subplot()
        axes.set_title(f"{title}\n" if mark else title)
        if mark:
            _mark(axes, mark)
        yield drawn, axes


def _mark(axes: Axes, text: str) -> None:
    """In the line that the title leaves free."""
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
    """Raise UsageError for a file whose name says no format that we draw."""
    if path.suffix not in _FORMATS:
        raise UsageError(f"{path}: a picture's name ends in {' or '.join(_FORMATS)}")


def save(drawn: Figure, path: Path) -> None:
    """As the format that the name ends in. Raises UsageError."""
    require_format(path)
    write_whole(path, data(drawn, path.suffix[1:]))


def data(drawn: Figure, kind: str, *, is_clear: bool = False) -> bytes:
    """The file's content; ``kind`` is png or svg. On white, unless it is clear."""
    out = io.BytesIO()
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A name in letters that the font lacks is drawn as boxes; in a page it is text, and fine.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Without a date the same data give the same file.
        metadata = {"Date": None} if kind == "svg" else {}
        drawn.savefig(out, format=kind, dpi=150, metadata=metadata, transparent=is_clear)
    return out.getvalue()


def look(index: int, points: int) -> dict[str, Any]:
    """How the line of that number looks; its few markers stand clear of those of its neighbours."""
    step = max(points // _MARKERS_A_LINE, 1)
    color = LINES[index % len(LINES)]["color"]
    shape = LINES[(index + index // len(LINES)) % len(LINES)]  # a colour comes back in another
    return {
        **shape,
        "color": color,
        "markersize": 5,
        "markevery": (index * step // len(LINES) % step, step),
    }


def key(drawn: Figure, handles: Sequence[Artist], *, is_narrow: bool) -> None:
    """A legend below the axes, where no line can run through it."""
    handle, gap = (2.4, 1.2) if is_narrow else (3.0, 2.0)
    drawn.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=_columns(drawn, handles, (handle + gap + 0.8) * float(_STYLE["font.size"])),
        handlelength=handle,
        columnspacing=gap,
    )


def _columns(drawn: Figure, handles: Sequence[Artist], handle_points: float) -> int:
    """The most columns of a legend that fit into the picture's width."""
    letters = [len(str(handle.get_label())) for handle in handles]
    for columns in range(len(handles), 1, -1):
        longest = [max(column) for column in np.array_split(letters, columns)]
        width = sum(handle_points + _LETTER_POINTS * count for count in longest)
        if width <= 72 * drawn.get_figwidth():
            return columns
    return 1
