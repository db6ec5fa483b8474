"""The sections of the commands' helps, in the order in which a help shows them."""

from cyclopts import Group

from bench.workload.declaration import FieldGroup

ARMS = Group("Arms", sort_key=0)
SEARCH = Group("Search", sort_key=0)
COMMON = Group("Most used", sort_key=1)
"""Fields of a scenario that have a short flag."""
DECISION = Group("Decision", sort_key=2)
OF_FIELDS = {each: Group(each.value, sort_key=key) for key, each in enumerate(FieldGroup, 3)}
SERVER = Group("Server", sort_key=7)
OUTPUT = Group("Output", sort_key=8)
MONITORING = Group("Monitoring", sort_key=9)
HOSTS = Group("Many hosts", sort_key=10)
