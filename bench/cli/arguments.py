"""Turns values back into the arguments of a command line."""

from collections.abc import Iterator, Mapping


def flags_of(values: Mapping[str, object]) -> Iterator[str]:
    """Yields ``--payload-size=256`` for each value, and only the flag for True.

    A list repeats its flag for each element.
    """
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        if value is True:
            yield flag
        else:
            for each in value if isinstance(value, list) else [value]:
                yield f"{flag}={each}"
