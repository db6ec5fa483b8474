"""Names that some output could not hold, or that mean something, are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.names import LONGEST, require_name, require_queue_name


@pytest.mark.parametrize("name", ["inference_high", "a|b", "<a>&'\"", "Bücher:neu", "*", "a=b;c"])
def test_what_each_output_can_escape_is_a_queue_name(name: str) -> None:
    assert require_queue_name(name) == name


@given(st.text(max_size=LONGEST + 10))
def test_a_name_that_is_accepted_is_one_line_of_what_can_be_shown(text: str) -> None:
    try:
        name = require_name(text, "a name")
    except UsageError:
        return
    assert name == text
    assert len(name.splitlines()) == 1
    assert name.isprintable()
    assert 0 < len(name.encode()) <= LONGEST


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2J", "\u202eb", "a\0", "\udcff"])
def test_a_message_about_a_name_can_be_shown_itself(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_name(name, "a name")
    assert str(caught.value).isprintable()
