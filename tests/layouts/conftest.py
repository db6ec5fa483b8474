"""The third layout as if its package were installed, for tests that find layouts by name."""

from pathlib import Path

import pytest

from bench.layouts import registry
from tests.layouts import third


@pytest.fixture
def third_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry finds the third layout, and forgets it after the test."""
    monkeypatch.syspath_prepend(third.install(tmp_path / "site"))
    monkeypatch.setattr(registry, "_loaded", dict(registry._loaded))
