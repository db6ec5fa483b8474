"""The part of a page that shows its runs side by side, above the sections of the runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.analysis.side_by_side import is_same_run, side_by_side
from bench.records.run_record import RunRecord
from bench.reports import side_by_side_text as text
from bench.reports.html.section import Section, Table
from bench.reports.plots.picture import Picture
from bench.reports.plots.side_by_side import LabelledRun, color_of, side_by_side_pictures


@dataclass(frozen=True, kw_only=True)
class SideBySidePart:
    """What all runs of a page show together."""

    runs: int
    notes: Sequence[str]
    settings: Table | None
    """The settings that differ; None where none does."""
    same: str
    """What stands there where none does."""
    figures: Table
    captions: Sequence[str]
    """What the margins and the changes mean."""
    pictures: Sequence[Picture]


def part(files: Sequence[tuple[Path, RunRecord]]) -> SideBySidePart:
    """Returns the part of two or more runs. Raises RecordError when a histogram is damaged."""
    records = [record for _, record in files]
    side = side_by_side(records)
    labels = [
        LabelledRun(f"{letter}  {name}", record)
        for letter, name, record in zip(text.LETTERS, _names(files), records, strict=False)
    ]
    banner = text.banner(records)
    suffix = f" ({banner})" if banner else ""
    colors = colors_of(len(records))
    settings = Table(
        "Settings that differ",
        text.setting_headings(len(records)),
        [[row.label, *row.values] for row in side.settings],
        names=1 + len(records),
        colors=colors,
    )
    return SideBySidePart(
        runs=len(records),
        notes=[text.SAME_RUN] if is_same_run(records) else [],
        settings=settings if side.settings else None,
        same=text.SAME_SETTINGS,
        figures=Table(
            f"Figures of each run{suffix}",
            text.figure_headings(len(records)),
            [text.figure_cells(row, records) for row in side.figures],
            colors=colors,
        ),
        captions=[*text.how_sure(records), text.CAPTION],
        pictures=side_by_side_pictures(labels, banner),
    )


def marked(sections: Sequence[Section], paths: Sequence[Path]) -> list[Section]:
    """Returns the sections of runs with the letter, name and colour that each has side by side."""
    heads = zip(text.LETTERS, text.names(paths), sections, strict=False)
    return [
        replace(each, title=f"{letter} {name}: {each.title}", color=color_of(index))
        for index, (letter, name, each) in enumerate(heads)
    ]


def colors_of(runs: int) -> Mapping[str, str]:
    """Returns the colour of each run's letter."""
    return {text.LETTERS[index]: color_of(index) for index in range(runs)}


def _names(files: Sequence[tuple[Path, RunRecord]]) -> list[str]:
    return text.names([path for path, _ in files])
