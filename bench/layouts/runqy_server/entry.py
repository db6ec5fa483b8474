"""The registry entry of the runqy-server layout."""

from bench.layouts.entry import LayoutEntry
from bench.layouts.runqy_server.client_check import check
from bench.layouts.runqy_server.layout import RUNQY_SERVER, RUNQY_SERVER_UNIQUE
from bench.layouts.runqy_server.rules import RULESET

ENTRY = LayoutEntry(
    layout=RUNQY_SERVER,
    ruleset=RULESET,
    client_check=check,
    unique_layout=RUNQY_SERVER_UNIQUE,
)
