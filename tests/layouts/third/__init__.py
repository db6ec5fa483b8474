"""A layout that only the tests have, as another package would add it: one folder, and one line.

It differs from the built-in layouts wherever the contract allows it: keys end with the queue's
name, workers pop the first id of a list, the whole task is one JSON text, and no script is used.
"""

from pathlib import Path

ENTRY_POINT = "third = tests.layouts.third.entry:ENTRY"
"""The one line."""


def install(folder: Path) -> Path:
    """Declares the layout as an installed package does; returns the folder to put on the path."""
    info = folder / "third_layout-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-layout\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[runqy_bench.layouts]\n{ENTRY_POINT}\n")
    return folder
