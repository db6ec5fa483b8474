"""``bench schema``: the JSON Schema of a file that bench reads or writes."""

import json
import sys

from bench.records.schemas import FormatName, schema_of


def schema(kind: FormatName, /) -> int:
    """Print the JSON Schema of a scenario or of a record.

    The schema is of draft 2020-12. It describes the TOML file of a scenario, or the JSON file of a
    kind of record.

    Parameters
    ----------
    kind
        The file's format.
    """
    sys.stdout.write(json.dumps(schema_of(kind), indent=2, ensure_ascii=False) + "\n")
    return 0
