"""``python -m bench``, and the console script."""

import sys


def main() -> int:
    """Run the command line."""
    _leave_working_folder()
    from bench import startup  # noqa: PLC0415 - nothing may be imported before

    return startup.main()


def _leave_working_folder() -> None:
    """Import from the working folder no more, whose files may have the names of modules.

    ``python -m`` puts it first. An empty entry of PYTHONPATH means it, too, mostly by mistake. This
    package stays what it is, wherever it was found.
    """
    import os  # noqa: PLC0415 - loaded with the interpreter

    try:
        here = os.getcwd()  # noqa: PTH109 - pathlib imports much
    except OSError:  # it is no more
        return
    is_module = __name__ == "__main__" and not sys.flags.safe_path
    if is_module and sys.path and sys.path[0] == here:
        del sys.path[0]
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" in named and here not in named:
        sys.path[:] = [each for each in sys.path if each not in ("", here)]


if __name__ == "__main__":
    sys.exit(main())
