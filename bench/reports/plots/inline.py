"""Makes a picture's SVG part of a page: in the page's colours and font, with unique ids.

Styles become attributes, which count less than a page's style sheet and are read where a policy of
the web server, such as that of Jenkins, allows no style of the page's own.
"""

import re

from bench.inert import visible
from bench.reports.plots.canvas import INK, PAPER

_NOISE = re.compile(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_NAMED = re.compile(r'(\bid="|href="#|url\(#)')
_FONT = re.compile(r"font: ([^;\"]*?)([\d.]+px) [^;\"]*")
_STYLE = re.compile(r' style="([^"]*)"')
_GROUND = "var(--ground, Canvas)"
"""The page's ground; the browser's own where the page has no style sheet."""
_SIZE = re.compile(r' (?:width|height)="[\d.]+pt"')


def inlined(svg: str, name: str, label: str) -> str:
    """Returns the ``<svg>`` element for a page.

    ``name`` is unique in the page and becomes the prefix of all ids; ``label`` is what a screen
    reader reads aloud.
    """
    drawing = _NOISE.sub("", svg[svg.index("<svg") :])
    drawing = _TAG.sub(lambda tag: _adapted(tag[0], name), drawing).strip()
    head, _, rest = drawing.partition(">")
    ours = f'fill="currentColor" role="img" aria-label="{_attribute(label)}"'
    return f"{_SIZE.sub('', head)} {ours}>{rest}"


def _adapted(tag: str, name: str) -> str:
    tag = tag.replace(INK, "currentColor").replace(PAPER, _GROUND)
    return _NAMED.sub(rf"\g<1>{name}-", _STYLE.sub(_attributes, _FONT.sub(_font, tag)))


def _font(match: re.Match[str]) -> str:
    weight = "font-weight: bold; " if "bold" in match[1] or "700" in match[1] else ""
    return f"{weight}font-size: {match[2]}"


def _attributes(style: re.Match[str]) -> str:
    """Returns the declarations of a style as attributes; the font is left to the page."""
    written = (each.partition(":") for each in style[1].split(";"))
    declared = ((name.strip(), value.strip()) for name, _, value in written if value)
    return "".join(f' {name}="{value}"' for name, value in declared if name != "font-family")


def _attribute(text: str) -> str:
    text = visible(text)
    for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(mark, entity)
    return text
