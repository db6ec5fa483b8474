"""``--server-config`` with settings: they hold, are recorded, and are compared."""

from pathlib import Path

import pytest

from bench.records import run_record
from tests.cli.conftest import SHORT_RUN, Bench

pytestmark = pytest.mark.slow
_DURABLE = "appendonly yes, appendfsync always, requirepass open-sesame"


def test_settings_of_a_server_are_recorded_and_compared(bench: Bench, folder: Path) -> None:
    """Without secrets; a difference in any of them is named, and allowed by one flag."""
    bench(*SHORT_RUN, "-o", "plain.json")
    outcome = bench(*SHORT_RUN, "-o", "durable.json", "--server-config", _DURABLE)
    settings = run_record.load(folder / "durable.json").server["settings"]
    assert isinstance(settings, dict)
    assert (settings["appendfsync"], settings["appendonly"]) == ("always", "yes")
    text = (folder / "durable.json").read_text() + outcome.out + outcome.err
    assert "open-sesame" not in text
    words = ("compare", "plain.json", "--", "durable.json", "--allow", "order,verdict")
    refused = bench(*words)
    assert refused.code == 2
    assert "server.appendonly (no versus yes)" in refused.err + refused.out
    assert "server.settings.appendfsync (everysec versus always)" in refused.err + refused.out
    assert "versus always" not in bench(*words, "--allow", "server").err
    single = bench(*words, "--allow", "server.appendonly,server.settings.appendfsync")
    assert "versus always" not in single.err + single.out
