"""All layouts by name: the one list that a built-in layout joins.

A layout of another package is found by its entry point in the group ``runqy_bench.layouts``. Entry
points are searched only for a name that is not built in, as the search takes a while; so a process
that uses a built-in layout starts as fast as if there were no others.
"""

from collections.abc import Callable, Sequence

from bench.errors import UsageError
from bench.layouts.asynq.entry import ENTRY as _ASYNQ
from bench.layouts.entry import LayoutEntry
from bench.layouts.runqy.entry import ENTRY as _RUNQY
from bench.layouts.runqy_server.entry import ENTRY as _RUNQY_SERVER

GROUP = "runqy_bench.layouts"

_BUILT_IN = (_RUNQY, _ASYNQ, _RUNQY_SERVER)

default = _BUILT_IN[0]
"""The layout where none is named."""

_loaded = {entry.name: entry for entry in _BUILT_IN}


def loaded() -> Sequence[LayoutEntry]:
    """The built-in layouts, and those of other packages that were asked for by name so far."""
    return list(_loaded.values())


def names() -> list[str]:
    """The names of all layouts that ``loaded`` returns."""
    return list(_loaded)


def find(name: str) -> LayoutEntry | None:
    """Returns the layout of that name, built in or of another package; None if there is none.

    Raises UsageError if another package declares it, but it cannot be loaded.
    """
    if name not in _loaded:
        entry = _load(name)
        if entry is None:
            return None
        _loaded[name] = entry
    return _loaded[name]


def get(name: str) -> LayoutEntry:
    """Returns the layout of that name. Raises UsageError if there is none."""
    entry = find(name)
    if entry is None:
        raise UsageError(
            f"layout {name!r} is not installed here: there are {', '.join(names())}; install the "
            f"package that declares it in the entry-point group {GROUP}"
        )
    return entry


def names_with(can: Callable[[LayoutEntry], bool]) -> str:
    """The names of the layouts that can do something, as in ``a or b``; empty if none can."""
    return " or ".join(entry.name for entry in loaded() if can(entry))


def _load(name: str) -> LayoutEntry | None:
    from importlib.metadata import entry_points  # noqa: PLC0415 - built-in layouts do without

    for point in entry_points(group=GROUP, name=name):
        where = f"layout {name!r}: its entry point {point.value!r}"
        try:
            entry = point.load()
        except Exception as error:  # whatever another package's code raises
            raise UsageError(
                f"{where} cannot be loaded: {error}; reinstall or repair its package"
            ) from None
        if not isinstance(entry, LayoutEntry) or entry.name != name:
            raise UsageError(
                f"{where} is not a LayoutEntry of that name; make it name the package's ENTRY"
            )
        return entry
    return None
