"""The registry entry of the runqy layout."""

from bench.layouts.entry import LayoutEntry
from bench.layouts.runqy.client_check import check
from bench.layouts.runqy.layout import RUNQY
from bench.layouts.runqy.rules import RULESET

ENTRY = LayoutEntry(layout=RUNQY, ruleset=RULESET, client_check=check, fits_snippet=True)
