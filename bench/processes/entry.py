"""Runs a module of the package that this file is part of. Run as a script, by its path.

``python -P entry.py MODULE ARGUMENT…`` is what ``python -m MODULE ARGUMENT…`` would be if Python
looked for modules neither in the working folder nor for ``bench`` anywhere but here: a child is
always of its parent's package, however the parent was found.
"""

import importlib.util
import runpy
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def main() -> None:
    """Load the package from where it is, and run the module that the arguments name."""
    spec = importlib.util.spec_from_file_location(
        _PACKAGE.name, _PACKAGE / "__init__.py", submodule_search_locations=[str(_PACKAGE)]
    )
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{_PACKAGE} is no package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE.name] = package
    spec.loader.exec_module(package)
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
