"""Text and tables as GitHub-flavoured Markdown, in which no name can act as markup."""

from collections.abc import Iterable, Sequence

from bench.inert import visible


def escaped(text: str) -> str:
    """Returns text of one line, in which no flag or name can act as markup."""
    text = visible(text)
    for mark in ("\\", "`", "*", "_", "|", "[", "]", "~"):
        text = text.replace(mark, "\\" + mark)
    # A name would call its owner, or refer to an issue, in a pull request's comment.
    return _escaped_html(text).replace("#", "&#35;").replace("@", "&#64;")


def code(name: str) -> str:
    """Returns a name in the letters of code; in a table, where not even code may hold a ``|``."""
    is_plain = name.isprintable() and not any(mark in name for mark in "`|\\")
    return f"`{name}`" if is_plain else in_code(name)


def in_code(text: str) -> str:
    """Returns text in the letters of code, every mark of which is an HTML entity.

    Markdown is read inside HTML as well, but not inside an entity.
    """
    marked = (
        each if each.isalnum() or each in " .,:/=-'+" or not each.isascii() else f"&#{ord(each)};"
        for each in visible(text)
    )
    return f"<code>{''.join(marked)}</code>"


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, text_columns: int = 1
) -> Iterable[str]:
    """Yields the lines of a table, whose cells are Markdown; figures are aligned to the right."""
    yield f"| {' | '.join(headings)} |"
    aligned = ["---" if number < text_columns else "---:" for number in range(len(headings))]
    yield f"|{'|'.join(aligned)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def folded(summary: str, lines: Iterable[str]) -> Iterable[str]:
    """Yields lines that are shown when their summary is clicked."""
    yield f"<details><summary>{summary}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"


def small(text: str) -> str:
    """Returns a line of what the figures are based on."""
    return f"<sub>{escaped(text)}</sub><br>"


def command_line(command: str) -> str:
    """Returns the last line of a report: the command that made its record."""
    return f"<sub>command: {in_code(command)}</sub>"


def _escaped_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
