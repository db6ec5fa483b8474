"""``bench clean``: removes what a run with ``--keep`` left on a server."""

import re
import sys
from pathlib import Path

from bench.cli.options import ServerFlags
from bench.errors import RecordError, ServerUnreachable
from bench.records import run_record as records
from bench.records.run_record import RunRecord
from bench.redisio.connection import open_client, translated_errors
from bench.run.removal import CleanupScope, Removal, remove, remove_notes
from bench.secrets import address

_RUN_ID = re.compile(r"[0-9a-f]{15}", re.ASCII)
_MOST_QUEUES = 10_000


def clean(record: Path, /, *, where: ServerFlags | None = None) -> int:
    """Remove what a run with --keep left on a server.

    Only the run's own tasks, results and list entries are removed, by id. All keys of the server
    are looked at, some thousands at a time.

    Parameters
    ----------
    record
        Record of the run.
    """
    loaded = records.load(record)
    run = _run_number(record, loaded)
    url = (where or ServerFlags()).require_url()
    layout, removal = loaded.scenario.wire_layout, Removal()
    with open_client(url) as client, translated_errors(url):
        remove(client, layout, list(loaded.queues), CleanupScope(run, sent=None), removal)
        remove_notes(client, run, removal)
    none = "" if removal.deleted else f": {address(url)} holds none"
    sys.stdout.write(f"removed {removal.deleted:,} keys of run {loaded.id}{none}\n")
    if removal.refusals:
        raise ServerUnreachable(
            f"{address(url)} refused some of the removal, so that keys may be left: "
            f"{'; '.join(removal.refusals)}: grant the user these commands "
            "('bench acl clean' prints them), and repeat"
        )
    return 0


def _run_number(path: Path, loaded: RunRecord) -> int:
    """Returns the number in the ids of a run's tasks.

    Raises RecordError for a record whose id is none of a run, and for one that names more queues
    than could be looked through: the server alone says how much there is to remove.
    """
    if not _RUN_ID.fullmatch(loaded.id):
        raise RecordError(f"{path}: its id {loaded.id!r} is not that of a run; no key can have it")
    if len(loaded.queues) > _MOST_QUEUES:
        raise RecordError(
            f"{path}: it names {len(loaded.queues):,} queues, and no run has more than "
            f"{_MOST_QUEUES:,}"
        )
    return int(loaded.id, 16)
