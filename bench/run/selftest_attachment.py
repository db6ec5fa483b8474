"""Attaches the self-test of a machine to the records of its runs."""

from pathlib import Path

from bench import environment
from bench.errors import UsageError
from bench.records import selftest_record
from bench.records.selftest_record import SelftestRecord

_MOST_NAMED = 3


def load_own(path: Path) -> SelftestRecord:
    """Reads a self-test that was made on this machine, with these versions, to its end.

    Raises RecordError for any other file, and UsageError, which names the differences, for one of
    another machine or version.
    """
    selftest = selftest_record.load(path)
    if selftest.ended != "finished":
        raise UsageError(f"--selftest {path}: it did not come to its end: make another one")
    found = selftest_record.differences(selftest, environment.describe(0, 0))
    if found:
        more = len(found) - _MOST_NAMED
        shown = "; ".join(found[:_MOST_NAMED]) + (f"; {more} more" if more > 0 else "")
        raise UsageError(
            f"--selftest {path}: it is of another machine or version: {shown}: make one here with "
            "'bench selftest'"
        )
    return selftest
