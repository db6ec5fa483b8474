"""From values back to the words of a command line."""

from collections.abc import Iterator, Mapping


def flag_words(values: Mapping[str, object]) -> Iterator[str]:
    """``--payload-size=256`` for each value; a list gives its flag several times, True alone."""
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            yield flag
        else:
            for each in value if isinstance(value, list) else [value]:
                yield f"{flag}={each}"
