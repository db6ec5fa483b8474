"""``python -m tests.renew``: rewrite the golden files and the generated parts of the documentation.

Read the diff afterwards: what it shows is what users will see.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.generated import PAGES, ROOT, renew
from tests.golden import RENEW_VARIABLE

FAILED_TESTS = 1
"""pytest's exit code where tests ran and some failed."""


def golden_tests() -> list[str]:
    """Test files, from the repository's root, that compare with golden files."""
    this = Path(__file__)
    return sorted(
        str(path.relative_to(ROOT))
        for path in this.parent.rglob("test_*.py")
        if "from tests.golden import" in path.read_text(encoding="utf-8")
        or "from tests import golden" in path.read_text(encoding="utf-8")
    )


def main() -> int:
    """Renew everything; return 1 where a test failed for another reason than its golden file."""
    for page in PAGES:
        sys.stdout.write(f"{page}: {'rewritten' if renew(page) else 'unchanged'}\n")
    code = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", *golden_tests()],
        env={**os.environ, RENEW_VARIABLE: "1"},
        cwd=ROOT,
        check=False,
    ).returncode
    if code == FAILED_TESTS:
        sys.stderr.write("a test failed for another reason than its golden file: see above\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
