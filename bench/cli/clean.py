"""``bench clean``: removes what a run with ``--keep`` left on a server."""

import sys
from pathlib import Path

from bench.cli.options import ServerFlags
from bench.ipc import remote
from bench.records import run_record as records
from bench.redisio.connection import open_client, translated_errors
from bench.run import cleanup
from bench.run.cleanup import CleanupScope


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
    run = int(loaded.id, 16)
    with open_client(url) as client, translated_errors(url):
        remote.remove(client, run)
        removed = cleanup.remove(
            client,
            loaded.scenario.wire_layout,
            list(loaded.queues),
            CleanupScope(run, sent=None, workers=loaded.scenario.workers),
        )
    sys.stdout.write(f"removed {removed:,} keys of run {loaded.id}\n")
    return 0
