"""The arms of a job: what each one adds to the command line of its runs."""

import os
import re
from collections.abc import Mapping, Sequence

import msgspec

from bench.errors import UsageError
from bench.secrets import address, has_password, holds_secret

BASE, CANDIDATE = "A", "B"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One of two ways to run a scenario."""

    label: str
    text: str
    """Its flags as the user wrote them."""
    words: tuple[str, ...]
    """What follows ``bench run``, but for where the record goes and which server to use."""
    url: str | None = None
    """A server that is there, as written: ``$NAME`` stands for a variable of the environment, as a
    job's file must hold no secret."""
    bench: tuple[str, ...] = ()
    """The command that is ``bench``; empty for the one that is running."""
    is_isolated: bool = False
    """Whether it is another revision, which must not find this one's modules."""

    def resolved_url(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The URL with variables filled in. Raises UsageError when one is not set."""
        if self.url is None:
            return None

        def value_of(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name not in environment:
                raise UsageError(f"arm {self.label}: the variable {name} is not set")
            return environment[name]

        return _VARIABLE.sub(value_of, self.url)


def require_no_secret(label: str, words: Sequence[str], url: str | None) -> None:
    """Refuse an arm whose URL or other flags hold a secret. Raises UsageError."""
    if url is not None and has_password(_VARIABLE.sub("", url)):
        raise UsageError(
            f"arm {label}: a password would stand in the job's file ({address(url)}): put the URL "
            f"into a variable and write --redis-url '$NAME'"
        )
    if holds_secret(words):
        raise UsageError(
            f"arm {label}: a password would stand in the job's file and in process lists: set it "
            "in the environment, which workers inherit"
        )


def require_different(arms: Sequence[Arm], allows_same: bool) -> None:
    """Refuse arms that are the same, unless asked to. Raises UsageError."""
    first, second = arms
    same = (first.words, first.url, first.bench) == (second.words, second.url, second.bench)
    if same and not allows_same:
        raise UsageError(
            "the arms differ in nothing: give --a or --b flags of 'bench run' (or --base-ref), "
            "or say --allow same to see what noise alone does"
        )
