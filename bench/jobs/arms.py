"""The arms of an A/B job: what each adds to the command line of its runs."""

import os
import re
from collections.abc import Mapping, Sequence

import msgspec

from bench.errors import UsageError
from bench.jobs.repository import Revision
from bench.names import variable
from bench.secrets import address, has_password, holds_secret

BASE, CANDIDATE = "A", "B"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two ways to run a scenario that a job compares."""

    label: str
    """``A`` for the base, ``B`` for the candidate."""
    text: str
    """The arm's flags as the user wrote them."""
    arguments: tuple[str, ...] = msgspec.field(name="words")
    """Arguments of ``bench run``, without the record's path and the server's URL."""
    url: str | None = None
    """URL of an existing server as the user wrote it, or None. ``$NAME`` and ``${NAME}`` stand for
    environment variables, so that the job's file holds no secret."""
    bench: tuple[str, ...] = ()
    """Command that starts ``bench``; empty for the running interpreter and package."""
    revision: Revision | None = None
    """Revision of the user's repository that its runs start in; None for the working folder."""
    folder: str | None = None
    """Folder that its runs start in, a temporary one; None for the working folder. Relative paths
    in its arguments are meant there."""
    is_isolated: bool = False
    """Whether the arm runs another revision, which must not import this one's modules."""

    def resolved_url(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The URL with its variables replaced by their values, or None without a URL.

        Raises UsageError when a variable is not set, or empty.
        """
        if self.url is None:
            return None

        def value_of(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            value = variable(name, environment)
            if value is None:
                raise UsageError(
                    f"arm {self.label}: the environment variable {name} is not set: export it"
                )
            return value

        return _VARIABLE.sub(value_of, self.url)

    @property
    def what(self) -> str:
        """What distinguishes the arm: its flags and its revision."""
        parts = (self.text, self.revision.text if self.revision else "")
        return " · ".join(part for part in parts if part)


def require_no_secret(label: str, arguments: Sequence[str], url: str | None) -> None:
    """Raise UsageError for an arm whose URL or other flags hold a secret."""
    if url is not None and has_password(_VARIABLE.sub("", url)):
        raise UsageError(
            f"arm {label}: the job's file would hold the password of {address(url)}: put the URL "
            "into an environment variable and write --redis-url '$NAME'"
        )
    if holds_secret(arguments):
        raise UsageError(
            f"arm {label}: the job's file and process lists would show a secret in these flags: "
            "set it in the environment, which workers inherit"
        )


def require_different(arms: Sequence[Arm], allows_same: bool) -> None:
    """Raise UsageError for two equal arms, unless ``allows_same``."""
    first, second = arms
    same = _settings(first) == _settings(second)
    if same and not allows_same:
        raise UsageError(
            "the arms do not differ: give --a or --b flags of 'bench run' (or --base-ref), or "
            "--allow same to measure the noise alone"
            if first.revision is None
            else f"the arms do not differ: {first.revision.name} and the candidate are both commit "
            f"{first.revision.short}; name another --base-ref, or add --allow same to measure the "
            "noise alone"
        )


def _settings(arm: Arm) -> tuple[object, ...]:
    return arm.arguments, arm.url, arm.bench, arm.revision and arm.revision.commit
