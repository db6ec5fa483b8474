"""Texts that were looked at once and must not change unnoticed.

``BENCH_UPDATE_GOLDEN=1 pytest tests/reports tests/cli`` writes them anew; then read the diff.
"""

import os
from pathlib import Path

_UPDATE = os.environ.get("BENCH_UPDATE_GOLDEN") == "1"


def check(name: str, text: str) -> None:
    """Assert that the text is the one of the file ``name`` beside this one."""
    path = Path(__file__).with_name(name)
    if _UPDATE:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
