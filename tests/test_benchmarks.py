"""The project's own benchmarks: how arms are paired, what is printed, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.errors import BenchError, UsageError
from tests.benchmarks import __main__ as benchmarks
from tests.benchmarks import commands, table
from tests.benchmarks.arms import ROOT, Tree, imported_from, require_own_packages, this_tree
from tests.benchmarks.figures import Figure, Measurement

A, B = Tree("A", Path("/base")), Tree("B", Path("/this"))


@pytest.mark.parametrize(
    ("pairs", "order"), [(0, ""), (1, "AB"), (2, "ABBA"), (3, "ABBAAB"), (4, "ABBAABBA")]
)
def test_arms_take_turns_so_that_drift_favours_neither(pairs: int, order: str) -> None:
    assert "".join(table.turns(pairs)) == order


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "–"),
        ([1234.4], "1,234 s"),
        ([3.0, 1.0, 2.0], "2 (1 to 3) s"),
        ([1.0, 4.0], "2 (1 to 4) s"),
    ],
)
def test_a_spread_is_the_median_and_the_range(values: Sequence[float], text: str) -> None:
    assert table.spread(values, ",.0f", "s") == text


def test_a_ratio_is_of_a_pair_and_not_of_the_medians() -> None:
    """A machine that became three times as fast in between changes no ratio."""
    assert table.paired_ratios([1, 3, 10], [2, 6, 5]) == [2, 2, 0.5]


def test_a_pair_whose_base_is_zero_has_no_ratio_and_a_missing_value_is_an_error() -> None:
    assert table.paired_ratios([0, 2], [1, 1]) == [0.5]
    with pytest.raises(ValueError, match="zip"):
        table.paired_ratios([1, 2], [1])


def test_a_measurement_pairs_its_trees_in_turns() -> None:
    measured: list[str] = []

    def measure(tree: Tree) -> int:
        measured.append(tree.label)
        return len(measured)

    figure = Figure("count", float, ".0f", "", "≤ 9")
    rows = Measurement(measure, [figure]).rows({"A": A, "B": B}, 2)
    assert "".join(measured) == "ABBA"
    # A was first and fourth, B second and third: 2/1 and 3/4.
    assert rows == [["count", "2 (1 to 4)", "2 (2 to 3)", "1.375 (0.750 to 2.000)", "≤ 9"]]
    assert rows[0][0] in table.header("server", "HEAD~1") + table.line(rows[0])


def test_an_error_that_is_nearly_zero_has_no_ratio() -> None:
    figure = Figure("off by", float, ".3f", "%", is_compared=False)
    assert figure.paired_row([0.001], [0.011]) == ["off by", "0.001 %", "0.011 %", "–", ""]


def test_without_a_base_this_tree_alone_is_measured() -> None:
    rows = Measurement(lambda tree: tree.label == "B", [Figure("B", float)]).rows({"B": B}, 3)
    assert rows == [["B", "1 (1 to 1)", ""]]


def test_a_row_has_as_many_cells_as_the_head() -> None:
    figure = Figure("what", float)
    for base, row in ((None, figure.row([1])), ("REV", figure.paired_row([1], [2]))):
        head, rule = table.header("server", base).splitlines()
        assert head.count("|") == rule.count("|") == table.line(row).count("|")


def test_arms_that_import_the_same_package_are_refused() -> None:
    package = Path("/this/bench/__init__.py")
    with pytest.raises(UsageError, match=r"^A would measure /this/bench/__init__.py, which is not"):
        require_own_packages([(A, package), (B, package)])
    with pytest.raises(UsageError, match=r"^the base and this tree are the same"):
        require_own_packages([(Tree("A", B.path), package), (B, package)])


def test_arms_of_trees_of_their_own_are_accepted() -> None:
    require_own_packages([(each, each.path / "bench" / "__init__.py") for each in (A, B)])


def test_a_tree_runs_its_own_package_wherever_this_one_is_installed(tmp_path: Path) -> None:
    package = tmp_path / "bench" / "cli"
    package.mkdir(parents=True)
    for path in (package.parent / "__init__.py", package / "__init__.py", package / "app.py"):
        path.touch()
    trees = [Tree("A", tmp_path), this_tree(None)]
    found = [(tree, imported_from(tree)) for tree in trees]
    require_own_packages(found)
    assert [path for _, path in found] == [
        tmp_path / "bench" / "__init__.py",
        ROOT / "bench" / "__init__.py",
    ]


def test_a_tree_that_cannot_be_run_is_refused_in_one_line(tmp_path: Path) -> None:
    package = tmp_path / "bench"
    package.mkdir()
    (package / "__init__.py").write_text("import a_library_that_is_missing\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"^A cannot be run \(ModuleNotFoundError: .*\)") as error:
        imported_from(Tree("A", tmp_path))
    assert "\n" not in str(error.value)


def test_a_command_is_timed_and_one_that_fails_is_an_error() -> None:
    tree = this_tree(None)
    burn = "import time\nwhile time.process_time() < 0.1: pass"
    assert commands.timed(lambda: tree.run_python("-c", burn)).cpu_s >= 0.1
    with pytest.raises(BenchError, match="exit code 3: no output"):
        commands.timed(lambda: tree.run_python("-c", "raise SystemExit(3)"))


def test_a_run_without_a_record_is_an_error_in_one_line() -> None:
    with pytest.raises(BenchError, match=r"^B: no record .*no-such-scenario") as error:
        this_tree(None).record_of("no-such-scenario")
    assert "\n" not in str(error.value)


def test_what_is_left_out_exists_and_the_rest_has_figures() -> None:
    assert set(benchmarks.SUBJECTS) > benchmarks.LEFT_OUT
    for measurements in benchmarks.SUBJECTS.values():
        assert all(each.figures for each in measurements)


def test_a_base_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmarks.main(["--only", "startup", "--base", "no-such-revision"]) == 2
    assert "no-such-revision" in capsys.readouterr().err
