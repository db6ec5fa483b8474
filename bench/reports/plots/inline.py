"""Makes a picture's SVG part of a page: in the page's colours and font, with unique ids."""

import re

from bench.reports.plots.canvas import INK, PAPER

_NOISE = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_NAMED = re.compile(r'(\bid="|href="#|url\(#)')
_FONT = re.compile(r"font: ([^;\"]*?)([\d.]+px) [^;\"]*")
_SIZE = re.compile(r' (?:width|height)="[\d.]+pt"')


def inlined(svg: str, name: str, label: str) -> str:
    """Returns the ``<svg>`` element for a page.

    ``name`` is unique in the page and becomes the prefix of all ids; ``label`` is what a screen
    reader reads aloud.
    """
    drawing = _NOISE.sub("", svg[svg.index("<svg") :])
    drawing = _TAG.sub(lambda tag: _adapted(tag[0], name), drawing).strip()
    head, _, rest = drawing.partition(">")
    return f'{_SIZE.sub("", head)} role="img" aria-label="{_attribute(label)}">{rest}'


def _adapted(tag: str, name: str) -> str:
    tag = tag.replace(INK, "currentColor").replace(PAPER, "var(--ground)")
    return _NAMED.sub(rf"\g<1>{name}-", _FONT.sub(_font, tag))


def _font(match: re.Match[str]) -> str:
    weight = "font-weight: bold; " if "bold" in match[1] or "700" in match[1] else ""
    return f"{weight}font-size: {match[2]}"


def _attribute(text: str) -> str:
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(mark, entity)
    return text
