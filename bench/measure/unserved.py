"""Why a worker could not serve a task that it has taken."""

from enum import StrEnum


class Unserved(StrEnum):
    """A reason, as reports count tasks by it."""

    NO_HASH = "no_hash"
    UNREADABLE = "unreadable"
    REFUSED = "refused"

    @property
    def clause(self) -> str:
        """What is wrong with one task, as a sentence about it."""
        return _CLAUSES[self]

    def of(self, count: int) -> str:
        """So many tasks with what is wrong with them, as people read it."""
        return f"{count:,} {_ONE[self] if count == 1 else _MANY[self]}"


_CLAUSES = {
    Unserved.NO_HASH: "its key holds no hash",
    Unserved.UNREADABLE: "its hash cannot be read",
    Unserved.REFUSED: "the server refuses a command about it",
}
_ONE = {
    Unserved.NO_HASH: "task whose key holds no hash",
    Unserved.UNREADABLE: "task whose hash cannot be read",
    Unserved.REFUSED: "task about which the server refuses a command",
}
_MANY = {
    Unserved.NO_HASH: "tasks whose keys hold no hash",
    Unserved.UNREADABLE: "tasks whose hashes cannot be read",
    Unserved.REFUSED: "tasks about which the server refuses a command",
}
