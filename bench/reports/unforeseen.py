"""The last resort: an exception that nothing expected becomes one line and an exit code.

Python would print a traceback and exit with code 1, which a gate reads as a regression. What is
needed here is imported when it is needed, as the fault may be that something cannot be imported.
"""

import contextlib
import os
import tempfile
import traceback
from collections.abc import Collection
from pathlib import Path

from bench.errors import (
    BenchError,
    InternalError,
    ServerUnreachable,
    UsageError,
    of_full_disk,
)


def translated(error: Exception, secrets: Collection[str] = ()) -> BenchError:
    """Returns the error that is shown for an exception that no other place has translated.

    That is ServerUnreachable for errors of Redis, UsageError for a file that cannot be used and for
    a full disk, and InternalError for a fault of this program, whose traceback is saved to a file,
    without ``secrets``.
    """
    if isinstance(error, BenchError):
        return error
    if _is_of_redis(error):
        return ServerUnreachable(f"the server's answer cannot be used: {_line(error)}")
    if isinstance(error, OSError) and error.filename is not None:
        return UsageError(f"cannot use {os.fsdecode(error.filename)}: {error.strerror}")
    if isinstance(error, OSError) and (full := of_full_disk(error)) is not None:
        return full
    where = _saved_traceback(error, secrets)
    return InternalError(f"internal error: {type(error).__name__}: {_line(error)} ({where})")


def _is_of_redis(error: Exception) -> bool:
    try:
        from bench.redisio.connection import SERVER_FAULTS  # noqa: PLC0415 - see above
    except ImportError:
        return False
    return isinstance(error, SERVER_FAULTS)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or "no message"


def _saved_traceback(error: Exception, secrets: Collection[str]) -> str:
    """Save the traceback to a file of the user's own; tells where it is."""
    text = "".join(traceback.format_exception(error))
    with contextlib.suppress(ImportError):
        from bench.secrets import hide  # noqa: PLC0415 - see above

        text = hide(text, frozenset(secrets))
    try:
        # Only the user may read it: a traceback may hold what this program knows of the system.
        descriptor, path = tempfile.mkstemp(prefix="runqy-bench-error-", suffix=".txt")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            Path(path).unlink()  # half of it helps nobody
            raise
    except OSError as fault:
        return f"its traceback could not be saved: {fault.strerror}"
    return f"traceback in {path}"
