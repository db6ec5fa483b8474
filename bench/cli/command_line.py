"""The command line of this process, for records: as typed, and with what settings added to it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from bench.secrets import URL_VARIABLE, command_secrets, hide_in_command, url_secrets


@dataclass(frozen=True)
class AppliedSetting:
    """A flag that the command line does not give, but a variable or a file."""

    flag: str
    texts: tuple[str, ...]
    """The values of the flag, which is repeated for each."""
    origin: str
    """Where it was set: a variable, or a file with its line."""

    @property
    def words(self) -> list[str]:
        """The flag as it would be typed."""
        return [self.flag if text == "true" else f"{self.flag}={text}" for text in self.texts]


_tokens: ContextVar[tuple[str, ...]] = ContextVar("tokens", default=())
_settings: ContextVar[Mapping[str, AppliedSetting] | None] = ContextVar("settings", default=None)


def remember(tokens: Sequence[str]) -> None:
    """Store the arguments of this invocation for ``command_line``."""
    _tokens.set(tuple(tokens))
    _settings.set(None)


def remember_settings(applied: Mapping[str, AppliedSetting]) -> None:
    """Store what settings add to the command line, by the names of flags."""
    _settings.set(applied)


def settings() -> Mapping[str, AppliedSetting]:
    """Returns what settings add to the command line, by the names of flags."""
    return _settings.get() or {}


def leave_out(names: Iterable[str]) -> None:
    """Take settings away that have no effect on this command."""
    left = set(names)
    _settings.set({name: each for name, each in settings().items() if name not in left})


def described_settings() -> str:
    """Returns the flags that settings add, with the place of each: ``--rate=5/s (BENCH_RATE)``."""
    return ", ".join(
        f"{hide_in_command(each.words)} ({each.origin})" for each in settings().values()
    )


def command_line() -> str:
    """Returns a command line that says the same, without anything that could be secret.

    It is as typed. What settings added follows as flags, and as a comment which of them they are.
    """
    added = [word for each in settings().values() for word in each.words]
    origins = ", ".join(f"{each.flag} from {each.origin}" for each in settings().values())
    typed = hide_in_command(["bench", *_tokens.get(), *added])
    return f"{typed}  # {origins}" if origins else typed


def known_secrets() -> frozenset[str]:
    """Returns the secrets of this invocation: in its arguments and settings, and in the variable of
    the URL."""
    added = [word for each in settings().values() for word in each.words]
    in_command = command_secrets([*_tokens.get(), *added])
    return in_command | url_secrets(os.environ.get(URL_VARIABLE, ""))
