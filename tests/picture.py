"""The README's picture: the terminal report of the example record, as an SVG file."""

import io
import re
from pathlib import Path

from rich.console import Console

from bench.records import run_record
from bench.reports.run import render

ROOT = Path(__file__).parent.parent
EXAMPLE = Path("results/example-default.json")
WIDTH = 100

_FONT_FACE = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


def report_picture() -> str:
    """The picture, with fonts of the reader's system in place of those that Rich would fetch."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), highlight=False)
    for part in render(run_record.load(ROOT / EXAMPLE), EXAMPLE, WIDTH):
        console.print(part)
    picture = console.export_svg(title="bench run")
    return _FONT_FACE.sub("", picture).replace("Fira Code", "DejaVu Sans Mono")


def visible_text(picture: str) -> str:
    """What can be read in an SVG picture, whichever version of Rich drew it."""
    return " ".join(_TAG.sub(" ", _STYLE.sub("", picture)).split())
