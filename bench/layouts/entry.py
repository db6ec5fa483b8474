"""What a layout consists of: one ``LayoutEntry``, which its folder exports as ``ENTRY``."""

from dataclasses import dataclass

from bench.layouts.client_check import TaskCheck
from bench.layouts.rules import Ruleset
from bench.wire.layout_contract import Layout


@dataclass(frozen=True)
class LibraryClient:
    """A client of somebody else's library that writes a layout, for ``bench clients``.

    It is one of the programs in ``bench/clients/go``.
    """

    name: str
    does: str
    """What it does, in a few words."""
    round_trips: str
    """Round trips per task."""
    kind: str
    """The argument that selects it in the Go program."""
    library: str
    """The library's path below ``github.com``."""


@dataclass(frozen=True, kw_only=True)
class LayoutEntry:
    """A layout with everything that belongs to it."""

    layout: Layout
    ruleset: Ruleset
    """What ``bench verify`` requires of its tasks and queues."""
    client_check: TaskCheck
    """What ``bench clients`` requires of a task that a client wrote."""
    unique_layout: Layout | None = None
    """The variant that refuses to enqueue an id that exists; None if there is none."""
    fits_snippet: bool = False
    """Whether the function of runqy's guide, which is the ``snippet`` producer, writes it."""
    library_client: LibraryClient | None = None

    @property
    def name(self) -> str:
        """The name that ``--layout`` takes."""
        return self.layout.name

    @property
    def refuses_duplicates(self) -> bool:
        """Whether enqueueing can refuse an id that exists."""
        return self.unique_layout is not None

    def variant(self, *, duplicate_check: bool) -> Layout:
        """The layout; with ``duplicate_check`` the one that refuses an id that exists, if any."""
        if duplicate_check and self.unique_layout is not None:
            return self.unique_layout
        return self.layout
