"""``bench report``: any record of the project, shown again."""

import sys
from pathlib import Path

from bench import gate_record
from bench import record as records
from bench.jobs import ab_job
from bench.reports.gate.terminal import print_gate
from bench.reports.terminal import print_report


def report(record: Path, /, *, json: bool = False) -> int:
    """Print the report of a run, or of a comparison, again from its record.

    Parameters
    ----------
    record
        A record's file, as 'bench run' names it; or that of a comparison, or the folder of an
        'ab' job.
    json
        Print the record itself.
    """
    path = record / ab_job.GATE if record.is_dir() else record
    if records.format_of(path) == gate_record.FORMAT:
        gate = gate_record.load(path)
        if json:
            sys.stdout.write(gate_record.encode(gate).decode())
        else:
            print_gate(gate, None)
        return 0
    loaded = records.load(path)
    if json:
        sys.stdout.write(records.encode(loaded).decode())
    else:
        print_report(loaded, path)
    return 0
