"""The state of a run as a few lines for a terminal: pure, from the progress to text."""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from bench import inert, units
from bench.measure.objectives_so_far import ObjectiveSoFar, ObjectiveState
from bench.measure.progress import Progress
from bench.measure.report_checks import SECONDS_SHOWN
from bench.measure.trend import MOST_POINTS, RunTrend
from bench.measure.verdict_inputs import Verdict
from bench.reports import until_text
from bench.reports.run_notes import faults_now, verdict_so_far
from bench.reports.sparkline import sparkline
from bench.workload.faults_at import faults_at
from bench.workload.metrics import format_value, parse_objective
from bench.workload.scenario import Scenario

_Curve = Sequence[float | None]
_WIDEST = 110
"""Columns beyond which lines become hard to read."""
_FIGURE = 25
"""Columns of a figure with its name, so that none moves when another one becomes longer."""
_GAP = 3
_CHART = MOST_POINTS // 2
"""Columns of a chart, each of two points at most."""
_CHART_ROWS = 3
_MOST_OBJECTIVES = 8
_STATE = 4 + max(map(len, ObjectiveState))
"""Columns of an objective's state with its mark and the gaps around it."""
_FAULTS_IN = ("enqueueing", "draining")
"""Phases in which faults are injected."""
_GOOD, _BAD, _OPEN = "good", "bad", "open"
_STYLES = {_GOOD: "green", _BAD: "bold red", _OPEN: "dim"}
_TONES = {ObjectiveState.MET: _GOOD, ObjectiveState.MISSED: _BAD}
_MARKS = {_GOOD: "✓", _BAD: "✗", _OPEN: "·"}
_ASCII_MARKS = {_GOOD: "+", _BAD: "x", _OPEN: "-"}


@dataclass(frozen=True)
class PanelSize:
    """The room for a panel, in columns and rows, and whether it can show more than ASCII."""

    width: int
    height: int
    is_ascii: bool = False


def panel(scenario: Scenario, progress: Progress, size: PanelSize) -> list[Text]:
    """Returns the lines of a panel, none of them wider than its room.

    Where rows are few, charts are lower or left out.
    """
    width = max(min(size.width, _WIDEST), 1)
    heading = _cut(_heading(scenario, progress), width)
    if progress.gathered is not None:
        return [heading, _cut(Text(progress.gathered.text), width)]
    above = [
        heading,
        _bar(_share_done(progress), width, size.is_ascii),
        *_verdict(scenario, progress, width, size.is_ascii),
        *_faults(scenario, progress, width, size.is_ascii),
        *_figures(progress, width),
        *_until(scenario, progress, width, size.is_ascii),
    ]
    below = _objectives(progress.objectives, width, size.is_ascii)
    blank = [Text()] if below else []
    rows = size.height - len(above) - len(blank) - len(below)
    charts = _charts(scenario, progress.trend, PanelSize(width, rows, size.is_ascii))
    return [*above, *charts, *blank, *below]


def _heading(scenario: Scenario, progress: Progress) -> Text:
    parts = [stage(scenario, progress), _time(scenario, progress)]
    name = inert.line(scenario.name)
    return Text.assemble((name, "bold"), "".join(f" · {each}" for each in parts if each))


def stage(scenario: Scenario, progress: Progress) -> str:
    """Returns what the run is doing: its phase or, of enqueueing, which part of it."""
    if progress.phase != "enqueueing":
        return progress.phase
    if scenario.has_workers and scenario.worker_start == "after-fill":
        return "filling"
    return "warm-up" if progress.elapsed_s < progress.warmup_until_s else "measuring"


def _time(scenario: Scenario, progress: Progress) -> str:
    """How long the run has lasted, and how long this phase will go on where that is known."""
    text = _seconds(progress.elapsed_s)
    if progress.phase == "draining":
        return f"{text} · {_drain_left(progress)}"
    if progress.planned_s is None and progress.planned_tasks is None:
        return text
    if progress.planned_s is not None:
        text += f" of {_seconds(progress.planned_s)}"
    else:
        text += f" · {progress.enqueued:,} of {progress.planned_tasks:,} tasks"
    left_s = _enqueueing_left_s(progress)
    at_most = " at most" if scenario.until else ""
    return text if left_s is None else f"{text}, {_seconds(left_s)} left{at_most}"


def _drain_left(progress: Progress) -> str:
    text = f"{progress.left:,} {'task' if progress.left == 1 else 'tasks'} left"
    if progress.drain_takes_s is not None:
        text += f", about {_seconds(progress.drain_takes_s)}"
    if progress.drain_left_s is not None:
        text += f", at most {_seconds(progress.drain_left_s)}"
    return text


def _enqueueing_left_s(progress: Progress) -> float | None:
    if progress.phase != "enqueueing":
        return None
    if progress.planned_s is not None:
        left_s = progress.planned_s - progress.elapsed_s
        return left_s if left_s > 0 else None
    if progress.planned_tasks is None or not progress.enqueued_per_s:
        return None
    return max(progress.planned_tasks - progress.enqueued, 0) / progress.enqueued_per_s


def _seconds(duration_s: float) -> str:
    """Whole seconds: a part of one would only flicker."""
    return f"{duration_s:.0f} s" if duration_s < 120 else units.format_duration(duration_s)


def _bar(share: float, width: int, is_ascii: bool) -> Text:
    full, empty = ("#", "-") if is_ascii else ("━", "─")
    filled = round(share * width)
    return Text.assemble((full * filled, "green"), (empty * (width - filled), "dim"))


def _share_done(progress: Progress) -> float:
    if progress.phase == "draining" and progress.enqueued:
        return min(progress.finished / progress.enqueued, 1.0)
    if progress.planned_tasks:
        return min(progress.enqueued / progress.planned_tasks, 1.0)
    if progress.planned_s:
        return min(progress.elapsed_s / progress.planned_s, 1.0)
    return 0.0


def _verdict(scenario: Scenario, progress: Progress, width: int, is_ascii: bool) -> list[Text]:
    """The verdict so far, and its reason or what else is to be known."""
    found = verdict_so_far(scenario, progress)
    tone = {None: _OPEN, Verdict.VALID: _GOOD}.get(found.verdict, _BAD)
    named = "no verdict yet" if found.verdict is None else f"{found.verdict} so far"
    text = named.replace("_", " ") + (f": {found.reason}" if found.reason else "")
    text += f"; {found.note}" if found.note else ""
    return _wrapped(text, tone, width, is_ascii)


def _faults(scenario: Scenario, progress: Progress, width: int, is_ascii: bool) -> list[Text]:
    """The faults that are under way and the next one, by the plan; nothing without either."""
    text = faults_now(scenario.faults, progress.elapsed_s)
    if not text or progress.phase not in _FAULTS_IN:
        return []
    is_under_way = bool(faults_at(scenario.faults, progress.elapsed_s).under_way)
    return _wrapped(text, _BAD if is_under_way else _OPEN, width, is_ascii)


def _until(scenario: Scenario, progress: Progress, width: int, is_ascii: bool) -> list[Text]:
    """How well figures are known that end the run; nothing where none does, or it has ended."""
    if not scenario.until or progress.phase != "enqueueing":
        return []
    found = [until_text.now(look) for look in progress.analyses]
    known = "; ".join(found or [f"until {', '.join(scenario.until)}"])
    next_s = math.ceil(scenario.warmup_until_s) + until_text.next_look_s(progress.analyses)
    text = f"{known}; next look at {_seconds(next_s)}"
    is_precise = bool(progress.analyses) and all(look.is_precise for look in progress.analyses)
    return _wrapped(text, _GOOD if is_precise else _OPEN, width, is_ascii)


def _wrapped(text: str, tone: str, width: int, is_ascii: bool) -> list[Text]:
    """A line that begins with the mark of its tone, on as many lines as it needs."""
    parts = textwrap.wrap(inert.line(text), max(width - 2, 1), break_on_hyphens=False) or [""]
    lines = [Text.assemble("  ", each) for each in parts]
    lines[0] = Text.assemble((_mark(tone, is_ascii), _STYLES[tone]), " ", parts[0])
    return [_cut(each, width) for each in lines]


def _mark(tone: str, is_ascii: bool) -> str:
    return (_ASCII_MARKS if is_ascii else _MARKS)[tone]


def _figures(progress: Progress, width: int) -> Iterable[Text]:
    figures = [
        ("offered", f"{progress.offered_per_s:,}/s"),
        ("enqueued", f"{progress.enqueued_per_s:,}/s"),
        ("finished", f"{progress.finished_per_s:,}/s"),
        ("e2e p50", units.format_duration(progress.p50_s)),
        ("e2e p99", units.format_duration(progress.p99_s)),
        ("backlog", f"{sum(progress.backlog.values()):,}"),
    ]
    cells = [Text.assemble((f"{name:<10}", "dim"), (value, "bold")) for name, value in figures]
    each_row = next((number for number in (3, 2) if number * _FIGURE <= width), 1)
    for first in range(0, len(cells), each_row):
        row = cells[first : first + each_row]
        yield _cut(_beside(row, _FIGURE), width)
    if len(progress.backlog) > 1:
        yield from _by_queue(progress.backlog, width)


def _by_queue(backlog: dict[str, int], width: int) -> Iterable[Text]:
    """The backlog of as many sub-queues as there is room for, on a line; none without room for
    one, as a part of a figure reads as another figure."""
    shown = [inert.line(f"{queue} {length:,}") for queue, length in backlog.items()]
    for number in range(len(shown), 0, -1):
        more = len(shown) - number
        parts = [*shown[:number], *([f"{more} more"] if more else [])]
        line = Text("  ".join([f"{'':<10}{parts[0]}", *parts[1:]]), "dim")
        if line.cell_len <= width:
            yield line
            return


def _charts(scenario: Scenario, trend: RunTrend, size: PanelSize) -> list[Text]:
    """Backlog and, where there are workers, p99 over time, beside each other or one below the
    other; nothing where there is no room for them."""
    backlog = [each.backlog for each in trend.points]
    p99_s = [each.p99_s for each in trend.points]
    curves: list[tuple[Text, Sequence[float | None]]] = [
        (_title("backlog", backlog, units.format_count), backlog)
    ]
    if scenario.has_workers:
        curves.append((_title("e2e p99", p99_s, units.format_duration), p99_s))
    are_beside = size.width >= 2 * _CHART + _GAP
    # Each has a title; above them is a blank line, and below the caption.
    height = min((size.height - 2) // (1 if are_beside else len(curves)) - 1, _CHART_ROWS)
    if height < 1 or not trend.points:
        return []
    charts = [_chart(title, values, height, size.is_ascii) for title, values in curves]
    if are_beside:
        column = (size.width + _GAP) // 2
        lines = [_beside(row, column) for row in zip(*charts, strict=True)]
    else:
        lines = [line for chart in charts for line in chart]
    return [Text(), *(_cut(each, size.width) for each in lines), _caption(trend.step_s, size.width)]


def _caption(step_s: int, width: int) -> Text:
    charts = f"charts: a point is {step_s} s"
    text = f"rates of the last second, latencies of the last {SECONDS_SHOWN} s; {charts}"
    return _cut(Text(text if len(text) <= width else charts, "dim"), width)


def _title(name: str, values: _Curve, shown: Callable[[float | None], str]) -> Text:
    highest = max((each for each in values if each is not None), default=None)
    extent = "  none yet" if highest is None else f"  up to {shown(highest)}"
    return Text.assemble((name, "bold"), (extent, "dim"))


def _chart(title: Text, values: _Curve, height: int, is_ascii: bool) -> list[Text]:
    rows = sparkline(values, _CHART, height, is_ascii=is_ascii)
    return [title, *(Text(row, "cyan") for row in rows)]


def _objectives(objectives: Sequence[ObjectiveSoFar], width: int, is_ascii: bool) -> list[Text]:
    """A line for each objective; of many, those that are missed come first."""
    shown = sorted(objectives, key=lambda each: each.state is not ObjectiveState.MISSED)
    if len(objectives) <= _MOST_OBJECTIVES:
        shown = list(objectives)
    rows = [(inert.line(each.expression), _value(each), each) for each in shown]
    rows, more = rows[:_MOST_OBJECTIVES], rows[_MOST_OBJECTIVES:]
    columns = [
        max((cell_len(expression) for expression, _, _ in rows), default=0),
        max((cell_len(value) for _, value, _ in rows), default=0),
    ]
    lines = []
    for expression, value, each in rows:
        tone = _TONES.get(each.state, _OPEN)
        cells = f"{set_cell_size(expression, columns[0])}  {set_cell_size(value, columns[1])}"
        fits = cell_len(cells) + _STATE <= width
        line = f"{cells if fits else f'{expression}  {value}'}  {each.state}"
        lines += _wrapped(line, tone, width, is_ascii)
    return [*lines, *([_cut(Text(f"  {len(more)} more", "dim"), width)] if more else [])]


def _value(objective: ObjectiveSoFar) -> str:
    if objective.value is None:
        return "–"
    return format_value(parse_objective(objective.expression).metric, objective.value)


def _beside(cells: Iterable[Text], column: int) -> Text:
    """The cells on one line, each of them a column wide."""
    line = Text()
    for number, cell in enumerate(cells):
        line.append(" " * max(number * column - line.cell_len, min(number, 1)))
        line.append_text(cell)
    return line


def _cut(line: Text, width: int) -> Text:
    """The line, no wider than that."""
    line.truncate(width, overflow="ellipsis")
    return line
