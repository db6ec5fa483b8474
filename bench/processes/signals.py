"""The signals that ask a process to end, all of which are handled alike."""

import signal
import time

_NAMES = (
    *("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM"),
    *("SIGPROF", "SIGIO", "SIGPWR", "SIGSTKFLT", "SIGXCPU"),
)
_TOGETHER_S = 0.5
_NEVER_IGNORED = frozenset({signal.SIGINT, signal.SIGTERM})


def ending_signals() -> tuple[signal.Signals, ...]:
    """Every signal that would end this process at once and that can be handled.

    Those that are ignored are left out, as ``nohup`` means it, but for SIGINT, which a shell
    ignores for each job in the background, and SIGTERM.
    """
    known = signal.Signals.__members__
    found = (known[name] for name in _NAMES if name in known)
    return tuple(
        number
        for number in found
        if number in _NEVER_IGNORED or signal.getsignal(number) is not signal.SIG_IGN
    )


class EndRequests:
    """Counts the requests to end: signals that come together are one.

    A closed terminal sends its signal two or three times, from the system and from the shell, and
    ``timeout`` sends one to a process and to its group.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last_s = 0.0

    def note(self) -> bool:
        """Note a signal; return whether it is a request of its own."""
        now_s, last_s = time.monotonic(), self._last_s
        is_another = not self.count or now_s > last_s + _TOGETHER_S
        self.count += is_another
        self._last_s = now_s if is_another else last_s
        return is_another
