"""What all pictures share: size, colours that a colour-blind reader can tell apart, and saving.

The colours are those of Okabe and Ito ("Color universal design", 2008), by what they stand for.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.errors import UsageError
from bench.files import write_whole

BLUE, ORANGE, GREEN, RED, SKY, PURPLE = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7"),
)
QUIET = "#808080"
"""For lines that explain; readable on white and on black."""
_SIZE_INCHES = (9.0, 4.5)
_FORMATS = (".png", ".svg")
_STYLE: dict[Any, Any] = {  # its keys are a type of three hundred literals
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
}


@contextmanager
def picture(title: str) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, laid out on leaving."""
    with mpl.rc_context(_STYLE):
        drawn = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = drawn.add_subplot()
        axes.set_title(title)
        yield drawn, axes


def require_format(path: Path) -> None:
    """Raise UsageError for a file whose name says no format that we draw."""
    if path.suffix not in _FORMATS:
        raise UsageError(f"{path}: a picture's name ends in {' or '.join(_FORMATS)}")


def save(drawn: Figure, path: Path) -> None:
    """As the format that the name ends in. Raises UsageError."""
    require_format(path)
    out = io.BytesIO()
    with mpl.rc_context(_STYLE):
        # Without a date the same data give the same file.
        metadata = {"Date": None} if path.suffix == ".svg" else {}
        drawn.savefig(out, format=path.suffix[1:], dpi=150, metadata=metadata)
    write_whole(path, out.getvalue())
