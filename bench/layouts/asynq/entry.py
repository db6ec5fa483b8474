"""The registry entry of the asynq layout."""

from bench.layouts.asynq.client_check import check
from bench.layouts.asynq.layout import ASYNQ, ASYNQ_UNIQUE
from bench.layouts.asynq.rules import RULESET
from bench.layouts.entry import LayoutEntry, LibraryClient

ENTRY = LayoutEntry(
    layout=ASYNQ,
    ruleset=RULESET,
    client_check=check,
    unique_layout=ASYNQ_UNIQUE,
    library_client=LibraryClient(
        name="go-asynq",
        does="asynq's own client, a task at a time: one script call each",
        round_trips="1",
        kind="asynq",
        library="hibiken/asynq",
    ),
)
