"""Which names and other texts of users are accepted. Pure: text in, text out.

A name goes into Redis keys, file names, tables, CSV, JUnit, Markdown, HTML and command lines. Each
output escapes what means something in it; refused here is what an output could not hold, or what
means something to this project itself.
"""

from collections.abc import Iterable, Mapping

from bench.errors import UsageError

ALL_QUEUES = "all"
"""What stands for all queues together where one could be named."""
LONGEST = 150
"""Bytes of the longest name: file names and labels hold it together with what they add to it."""


def require_printable(text: str, what: str) -> str:
    """Returns a text of one line as it is.

    Raises UsageError where it holds a line break, another control character, or a character that
    changes how its neighbours are shown. ``what`` is what the message calls it.
    """
    for character in text:
        if not character.isprintable():
            raise UsageError(
                f"{text!r} is not {what}: it holds the unprintable character {character!a}; "
                "remove it"
            )
    return text


def require_name(text: str, what: str) -> str:
    """Returns a name as it is. Raises UsageError where it is empty, too long or not printable."""
    if not text.strip():
        raise UsageError(f"{text!r} is not {what}: it is empty")
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise UsageError(f"{text[:30]!r}… is not {what}: it is longer than {LONGEST} bytes")
    return require_printable(text, what)


def require_utf8(texts: Iterable[str], why: str = "as a record must be") -> None:
    """Raises UsageError for a text of a command line whose bytes were not UTF-8."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{text!a} is not UTF-8, {why}") from None


def require_value(text: str, what: str) -> str:
    """Returns a text that was given as it is. Raises UsageError where it is empty.

    It never stands for one that was not given: most likely a variable of a script was not set.
    ``what`` is what the message calls it.
    """
    if not text.strip():
        raise UsageError(f"{what} is empty: give it a value, or remove it")
    return text


def variable(name: str, environment: Mapping[str, str]) -> str | None:
    """Returns an environment variable, or None where it is not set.

    Raises UsageError where it is set and empty, as it is where a secret of a CI system is missing.
    """
    text = environment.get(name)
    if text is not None and not text.strip():
        raise UsageError(f"{name} is set, but empty: give it a value, or unset it")
    return text


def require_queue_name(name: str) -> str:
    """Returns the name of a queue as it is. Raises UsageError where it cannot be one.

    A comma separates queues in flags and in what worker commands are given, braces enclose a queue
    in metrics and in Redis' hash tags, and ``all`` stands for all of them.
    """
    require_name(name, "a queue name")
    for character in name:
        if character.isspace() or character in ",{}":
            raise UsageError(f"{name!r} is not a queue name: it holds {character!r}")
    if name == ALL_QUEUES:
        raise UsageError(f"{name!r} is not a queue name: it stands for all queues together")
    return name
