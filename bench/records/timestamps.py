"""Dates and times as records hold them: ISO 8601, in UTC."""

import datetime


def now() -> str:
    """Returns the current date and time to the second: ``2026-01-15T09:30:00+00:00``."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def is_timestamp(text: str) -> bool:
    """Whether a text is a date with a time, as records hold it."""
    try:
        return "T" in text and bool(datetime.datetime.fromisoformat(text))
    except ValueError:
        return False


def readable(timestamp: str) -> str:
    """Returns a timestamp as ``2026-01-15 09:30:00 UTC``.

    One without a time zone is returned without ``UTC``, and a text that is no ISO 8601 timestamp as
    it is.
    """
    try:
        at = datetime.datetime.fromisoformat(timestamp)
    except ValueError:
        return timestamp
    if at.tzinfo is None:
        return f"{at:%Y-%m-%d %H:%M:%S}"
    return f"{at.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
