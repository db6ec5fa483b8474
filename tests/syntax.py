"""``python -m tests.syntax FILE...``: whether YAML and TOML files can be read at all."""

import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import yaml


def problem(path: Path) -> str | None:
    """Why a file cannot be read, in one line, or None where it can."""
    try:
        if path.suffix == ".toml":
            tomllib.loads(path.read_text(encoding="utf-8"))
        else:
            list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        return f"{path}: {' '.join(str(error).split())}"
    return None


def main(arguments: Sequence[str]) -> int:
    """Print a line for each file that cannot be read; return 1 where there is one."""
    problems = [found for name in arguments if (found := problem(Path(name)))]
    sys.stderr.writelines(f"{found}\n" for found in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
