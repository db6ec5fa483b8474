"""What a benchmark is: something to run on a tree, and the figures that are read from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.jobs.arms import BASE, CANDIDATE
from tests.benchmarks import table
from tests.benchmarks.arms import Tree

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A number that is read from what was measured, and how it is shown."""

    label: str
    value: Callable[[Any], float]
    """From what ``Measurement.measure`` returns."""
    form: str = ",.0f"
    """Format specification."""
    unit: str = ""
    target: str = ""
    is_compared: bool = True
    """Whether a base's and this tree's have a ratio; errors that are nearly zero have none."""

    def row(self, found: Sequence[Any]) -> list[str]:
        """Cells of one tree's repetitions."""
        values = [self.value(each) for each in found]
        return [self.label, table.spread(values, self.form, self.unit), self.target]

    def paired_row(self, base: Sequence[Any], candidate: Sequence[Any]) -> list[str]:
        """Cells of the pairs of a base and this tree."""
        arms = [[self.value(each) for each in found] for found in (base, candidate)]
        spreads = [table.spread(values, self.form, self.unit) for values in arms]
        ratio = table.spread(table.paired_ratios(*arms) if self.is_compared else [], ".3f")
        return [self.label, *spreads, ratio, self.target]


@dataclass(frozen=True)
class Measurement:
    """Something to run once on a tree, and its figures."""

    measure: Callable[[Tree], Any]
    figures: Sequence[Figure]

    def rows(self, trees: Mapping[str, Tree], repeat: int) -> list[list[str]]:
        """Measure the trees by their labels in turns, and return the cells of each figure."""
        found: dict[str, list[Any]] = {BASE: [], CANDIDATE: []}
        for label in table.turns(repeat):
            if label in trees:
                found[label].append(self.measure(trees[label]))
        if BASE in trees:
            return [each.paired_row(found[BASE], found[CANDIDATE]) for each in self.figures]
        return [each.row(found[CANDIDATE]) for each in self.figures]
