"""Golden files: outputs that a person has read once and that must not change unnoticed.

``python -m tests.renew`` rewrites them; read the diff before you commit it.
"""

import os
from pathlib import Path

RENEW_VARIABLE = "BENCH_RENEW"
"""Environment variable: ``1`` makes ``check`` rewrite the golden files instead of comparing."""


def check(name: str, text: str) -> None:
    """Assert that a text equals the golden file ``name`` in this folder.

    Raises AssertionError, with the difference, where they differ or the file is missing.
    """
    path = Path(__file__).with_name(name)
    if os.environ.get(RENEW_VARIABLE) == "1":
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else None
    assert text == expected, f"{name} differs: if that is meant, run 'python -m tests.renew'"
