"""``bench completion``: a script that lets a shell complete commands, flags and their values."""

import sys
from typing import Literal

Shell = Literal["bash", "zsh", "fish"]


def completion(shell: Shell, /) -> int:
    """Print a script that completes flags in a shell.

    The script is complete in itself: nothing is started while you type.

    Parameters
    ----------
    shell
        The shell that reads the script.
    """
    from bench.cli.app import app  # noqa: PLC0415 - it names this module, and loads it when asked

    script = app.generate_completion(prog_name="bench", shell=shell)
    sys.stdout.write(script.rstrip() + "\n")
    return 0
