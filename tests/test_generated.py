"""The generated parts of the documentation say what the code says."""

import pytest

from tests.generated import PAGES, between, is_current, with_package_imports
from tests.renew import golden_tests

PAGE = "before\n<!-- made: rates -->\nold\n<!-- end of rates -->\nafter\n"


@pytest.mark.parametrize("page", PAGES)
def test_a_generated_page_is_what_the_code_makes_of_it(page: str) -> None:
    assert is_current(page), f"{page} is out of date: run 'python -m tests.renew'"


def test_what_stands_between_the_marks_is_replaced_and_nothing_else() -> None:
    renewed = between(PAGE, "rates", "| new |")
    assert renewed == PAGE.replace("\nold\n", "\n\n| new |\n\n")
    assert between(renewed, "rates", "| new |") == renewed


def test_a_page_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="'other' stand 0 times"):
        between(PAGE, "other", "| new |")


def test_a_wrong_room_is_put_right_and_the_hand_written_columns_stay() -> None:
    page = "| `units` | durations, rates | `wire` |\n| `version` | the version | `cli` |\n"
    assert with_package_imports(page) == (
        "| `units` | durations, rates | `errors` |\n| `version` | the version | – |\n"
    )


def test_renewing_runs_every_test_that_has_a_golden_file() -> None:
    assert "tests/reports/test_run.py" in golden_tests()
    assert "tests/cli/test_commands.py" in golden_tests()
