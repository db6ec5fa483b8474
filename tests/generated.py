"""The parts of the documentation that are made from the code.

``PAGES`` is the one list: a page, and the function that takes its text and returns it renewed.
``python -m tests.renew`` writes them, ``tests/test_generated.py`` checks that nobody forgot to.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.cli import help as helps
from bench.metrics.declared import METRICS
from tests.picture import report_picture, visible_text
from tests.reference.commands import command_pages
from tests.reference.exit_codes import exit_code_table
from tests.reference.metrics import metric_tables
from tests.reference.record_fields import record_tables
from tests.reference.scenario_tables import scenario_tables
from tests.test_imports import package_imports

ROOT = Path(__file__).parent.parent

_COMMAND = re.compile(r"'(bench [^']+)'")
_FLAG = re.compile(r"(--slo '[^']+')")
_ROOM = re.compile(r"^(\| `(\w+)` \| [^|]+ \|) [^|]+ \|$", re.MULTILINE)


def between(text: str, name: str, made: str) -> str:
    """Replace what stands between ``<!-- made: NAME -->`` and ``<!-- end of NAME -->``.

    Raises ValueError where the page lacks the two marks.
    """
    pattern = re.compile(rf"(<!-- made: {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)
    renewed, count = pattern.subn(lambda marks: f"{marks[1]}\n{made.strip()}\n{marks[2]}", text)
    if count != 1:
        raise ValueError(f"the marks of {name!r} stand {count} times in the page, not once")
    return renewed


def with_package_imports(text: str) -> str:
    """The architecture page with the third column of its table of packages as the code has it."""
    found = package_imports()

    def renewed(row: re.Match[str]) -> str:
        allowed = " ".join(f"`{package}`" for package in sorted(found.get(row[2], ())))
        return f"{row[1]} {allowed or '–'} |"

    return _ROOM.sub(renewed, text)


def metrics_table() -> str:
    """The metrics that are exported, as a table."""
    rows = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS.values():
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{metric.name}` | {metric.type} | {labels} | {metric.meaning} |")
    return "\n".join(rows)


def concepts() -> str:
    """The eight terms of the first runs, as the help of ``bench`` has them, as a list."""
    terms = [line.split(maxsplit=1) for line in helps.CONCEPTS.splitlines()]
    return "\n".join(f"- **{term}**: {_as_code(meaning)}" for term, meaning in terms)


def _as_code(text: str) -> str:
    """Command lines and flags as Markdown shows them."""
    return _FLAG.sub(r"`\1`", _COMMAND.sub(r"`\1`", text))


PAGES: Mapping[str, Callable[[str], str]] = {
    "README.md": lambda text: between(text, "concepts", concepts()),
    "docs/index.md": lambda text: between(text, "concepts", concepts()),
    "docs/architecture.md": with_package_imports,
    "docs/metrics.md": lambda text: between(text, "metrics", metrics_table()),
    "docs/report.svg": lambda _: report_picture(),
    "docs/reference/commands.md": lambda text: between(text, "commands", command_pages()),
    "docs/reference/exit-codes.md": lambda text: between(text, "exit-codes", exit_code_table()),
    "docs/reference/metrics.md": lambda text: between(text, "metrics", metric_tables()),
    "docs/reference/record-fields.md": lambda text: between(text, "fields", record_tables()),
    "docs/reference/scenario-fields.md": lambda text: between(text, "fields", scenario_tables()),
}
"""Path of a page, from the repository's root, to what renews its text."""


def is_current(page: str) -> bool:
    """Whether a page says what the code says; of a picture, its text alone counts."""
    text = (ROOT / page).read_text(encoding="utf-8")
    renewed = PAGES[page](text)
    if page.endswith(".svg"):
        return visible_text(renewed) == visible_text(text)
    return renewed == text


def renew(page: str) -> bool:
    """Rewrite a page where the code says something else; return whether that was necessary."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    renewed = PAGES[page](text)
    if renewed != text:
        path.write_text(renewed, encoding="utf-8")
    return renewed != text
