"""Arms: their servers and secrets."""

import msgspec
import pytest

from bench.errors import UsageError
from bench.jobs.arms import Arm, require_different, require_no_secret


def arm(label: str = "A", **values: object) -> Arm:
    return Arm(label=label, text="", arguments=("smoke",), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("written", "resolved"),
    [
        (None, None),
        ("redis://127.0.0.1:1/0", "redis://127.0.0.1:1/0"),
        ("$HERE", "redis://:secret@127.0.0.1:1/0"),
        ("redis://:${WORD}@127.0.0.1:1/0", "redis://:secret@127.0.0.1:1/0"),
    ],
)
def test_variables_are_filled_in_when_a_run_begins(
    written: str | None, resolved: str | None
) -> None:
    environment = {"HERE": "redis://:secret@127.0.0.1:1/0", "WORD": "secret"}
    assert arm(url=written).resolved_url(environment) == resolved


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(UsageError, match="arm B: the environment variable NONESUCH is not set"):
        arm("B", url="$NONESUCH").resolved_url({})


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(
        UsageError, match=r"arm A: the job's file would hold the password"
    ) as caught:
        require_no_secret("A", [], "redis://:open-sesame@127.0.0.1:1/0")
    assert "open-sesame" not in str(caught.value)
    require_no_secret("A", [], "redis://:$WORD@127.0.0.1:1/0")
    require_no_secret("A", [], "$HERE")
    require_no_secret("A", [], None)


def test_a_password_in_the_flags_of_an_arm_is_refused_and_not_repeated() -> None:
    """Its runs are started with these flags, which process lists show."""
    flags = ["--prefetch=1", "--worker-command=sh -c 'DB_PASSWORD=open-sesame worker'"]
    with pytest.raises(UsageError, match=r"arm A: the job's file and process lists") as caught:
        require_no_secret("A", flags, None)
    assert "open-sesame" not in str(caught.value)
    require_no_secret("A", flags[:1], None)


def test_a_saved_arm_keeps_the_names_of_its_format() -> None:
    saved = msgspec.json.decode(msgspec.json.encode(arm()))
    assert saved["words"] == ["smoke"]
    assert "arguments" not in saved


def test_arms_that_differ_in_nothing_are_refused_unless_asked_for() -> None:
    with pytest.raises(UsageError, match="the arms do not differ"):
        require_different([arm("A"), arm("B")], allows_same=False)
    require_different([arm("A"), arm("B")], allows_same=True)
    require_different([arm("A"), arm("B", url="redis://127.0.0.1:1/0")], allows_same=False)
