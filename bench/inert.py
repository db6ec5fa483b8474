"""Makes text of others harmless: whatever a name, a message or a result holds is only shown.

Names are chosen by users, messages by servers, and records come from anywhere. Each format has its
own escapes, in the module that writes it. This module has what they share: characters that no
reader sees, and that terminals, CI systems and XML readers act upon.
"""

import json
import re
import unicodedata

_UNUSUAL = re.compile(r"[^\n -~]")
_COMMAND = re.compile(r"(?<!\S)(::|##\[)")
"""What begins a command of GitHub Actions, in the log of a job."""


def visible(text: str, keep: str = "") -> str:
    r"""Returns text with every control character written out, such as ``\x1b`` or ``\u202e``.

    That includes line breaks, characters that change the direction of text, and bytes of a name
    that are no UTF-8. Characters in ``keep`` stay.
    """
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep or _is_space(each) else _written_out(each)
        for each in text
    )


def in_json(text: str) -> str:
    """Returns a JSON document with every such character escaped, so that it may be shown as it is.

    They can only stand in strings, where the escape means the same.
    """
    return _UNUSUAL.sub(lambda found: _json_letter(found[0]), text)


def line(text: str) -> str:
    """Returns text as one line of a log: visible, and without a command of a CI system."""
    return "".join(letters(text))


def excerpt(text: str, most: int = 120) -> str:
    """Returns text as one line of a log, cut after ``most`` characters."""
    shown = line(text[: most + 1])
    return shown if len(shown) <= most else f"{shown[:most]}…"


def letters(text: str) -> list[str]:
    """Returns what ``line`` shows, by the letter of ``text`` that it stands for."""
    shown = [visible(each) for each in text]
    for found in _COMMAND.finditer(text):
        shown[found.start()] = f"\\x{ord(text[found.start()]):02x}"
    return shown


def _is_space(letter: str) -> bool:
    return unicodedata.category(letter) == "Zs"


def _json_letter(letter: str) -> str:
    return letter if letter.isprintable() or _is_space(letter) else json.dumps(letter)[1:-1]


def _written_out(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
