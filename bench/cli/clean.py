"""``bench clean``: removes what a run with ``--keep`` left on a server."""

import sys
from pathlib import Path

from bench.cli.options import ServerFlags
from bench.errors import ServerUnreachable
from bench.records import run_record as records
from bench.redisio.connection import open_client, translated_errors
from bench.run.removal import CleanupScope, Removal, remove, remove_notes
from bench.secrets import address


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
    url = (where or ServerFlags()).require_url()
    run, removal = int(loaded.id, 16), Removal()
    with open_client(url) as client, translated_errors(url):
        remove(
            client,
            loaded.scenario.wire_layout,
            list(loaded.queues),
            CleanupScope(run, sent=None, workers=loaded.scenario.workers),
            removal,
        )
        remove_notes(client, run, removal)
    none = "" if removal.deleted else f": {address(url)} holds none"
    sys.stdout.write(f"removed {removal.deleted:,} keys of run {loaded.id}{none}\n")
    if removal.refusals:
        raise ServerUnreachable(
            f"{address(url)} refused some of the removal, so that keys may be left: "
            f"{'; '.join(removal.refusals)}: grant the user these commands, and repeat"
        )
    return 0
