r"""Hides secrets: every pattern and function that does so. Pure: text in, text out.

A secret is a password, or a token that stands for one. It is hidden in two ways:

- by its **place**, without knowing it: the user information of a URL (``redis://me:…@host``) and
  ``password=`` in its query, an assignment to a name such as ``REDISCLI_AUTH`` or
  ``DB_PASSWORD`` (shell, JSON, Python), and the value of a flag such as ``--password`` or ``-a``;
- by its **value**, where it is known: in any spelling, character by character. A character may be
  raw, percent-encoded (whole or in part, once or repeatedly), escaped for a shell, JSON, HTML or
  as ``repr`` does it, and the escapes may be stacked. A first part of at least ``LEAST_PART``
  characters is hidden too, since programs cut long texts off.

A known secret of fewer than ``SHORTEST`` characters is hidden by its value only where it is shown
*as a password*: behind a word such as "password", in quotes, alone on its line, or between ``:``
and ``@``. Hidden everywhere, a password ``a`` would turn every message into dots, and the dots
would tell the password.
"""

import functools
import html.entities
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import unquote, unquote_plus

URL_VARIABLE = "BENCH_REDIS_URL"
"""Environment variable that holds the Redis URL. Others can read a process's arguments; its
environment can be read by its own user alone."""
HIDDEN = "…"
SHORTEST = 4
"""Characters of the shortest secret that is hidden wherever it occurs."""
LEAST_PART = 8
"""Characters of the shortest first part of a secret that is hidden."""

# --- URLs ---------------------------------------------------------------------------------------

_QUERY = re.compile(r"\?[a-z_]+=")
_QUERY_PASSWORD = re.compile(r"[?&](?:sentinel_)?password=([^&#]+)")
_QUERY_SECRET = re.compile(r"[?&](?:sentinel_)?(?:password|username)=([^&#]*)")
_QUERY_DATABASE = re.compile(r"[?&](db=\d{1,10})(?=&|$)")
_PLACE = re.compile(r"((\[[0-9a-f:.]+\]|[\w.-]*)(:\d+)?(,(?=.)|/[^?@]*$|$))+", re.IGNORECASE)
_MUST_BE_ENCODED = re.compile(r"[/?#@\[\]\t\r\n]")


def address(url: str) -> str:
    """Where a URL leads: scheme, host, port, path and the option ``db``, without anything else.

    ``redis://…`` where what is left does not look like an address.
    """
    scheme, user_info, place, query = split_url(url)
    is_password = not user_info and place.startswith(":")  # it lacks its @ and host
    is_place = _PLACE.fullmatch(place) is not None and not is_password
    database = _QUERY_DATABASE.search(query)
    shown = f"{place}?{database[1]}" if database else place
    return f"{scheme}://{shown if is_place else HIDDEN}"


def has_password(url: str) -> bool:
    """Whether a URL holds a password, in front of its host or in its query."""
    _, user_info, _, query = split_url(url)
    return bool(user_info.partition(":")[2]) or bool(_QUERY_PASSWORD.search(query))


def quotes_password(text: str) -> bool:
    """Whether a URL in a text holds a password."""
    return any(has_password(url[0]) for url in _URL.finditer(text))


def has_unencoded(url: str) -> bool:
    """Whether user or password hold a raw character that would end them, such as ``@`` or ``/``."""
    return _MUST_BE_ENCODED.search(split_url(url)[1]) is not None


def has_options(url: str) -> bool:
    """Whether a URL has a query, whose options only redis-py knows."""
    return bool(split_url(url)[3])


def url_secrets(url: str) -> frozenset[str]:
    """The secrets in a URL, as they are written and as they are meant.

    A user without a password counts, unless it is ``default``: it may be a password that lacks
    its colon.
    """
    _, user_info, _, query = split_url(url)
    user, colon, password = user_info.partition(":")
    written = {password if colon or user == "default" else user, *_QUERY_PASSWORD.findall(query)}
    meant = {read(each) for each in written for read in (unquote, unquote_plus)}
    return frozenset(written | meant) - {""}


def split_url(url: str) -> tuple[str, str, str, str]:
    """Scheme, user information, place, and query with its question mark, all as written.

    By hand: a password may hold, unencoded, what a URL parser would end the host at.
    """
    scheme, _, rest = url.partition("://")
    query = _QUERY.search(rest)
    start = len(rest) if query is None else query.start()
    if "@" in rest[start:] and not _QUERY_SECRET.search(rest[start:]):
        start = len(rest)  # no query: a password with a question mark
    user_info, _, place = rest[:start].rpartition("@")
    if scheme == "unix" and user_info.startswith("/"):
        user_info, place = "", rest[:start]  # the path of a socket may hold an @
    return scheme, user_info, place.partition("#")[0], rest[start:]


# --- Secrets by their place -----------------------------------------------------------------------

_NAME = (
    r"(?:[\w.-]*(?:password|passwd|passphrase|token|secret|credentials?"
    r"|(?:api|access|secret|private)[_-]?key)"
    r"|(?:[\w.-]*[_.-])?(?:pass|auth|requirepass|masterauth)"
    r"|[\w.-]+[_.-](?:pwd|pw))"
)
_QUOTED = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|(?P<quote>\\+["']).*?(?P=quote))"""
_VALUE = rf"""(?:(?:{_QUOTED}|\\.|[^\s"'\\])+|["'].*)"""
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE)
_FLAG = re.compile(rf"(?-i:-a)|-{{1,2}}{_NAME}|requirepass|masterauth", re.IGNORECASE)
_SCRIPT_FLAG = re.compile(r"-[a-z]*c")
_ASSIGNMENT_WORD = re.compile(rf"({_NAME}=)(.+)", re.IGNORECASE | re.DOTALL)
_URL_WORD = re.compile(r"((?:[\w-]+=)?)([a-z][a-z0-9+.-]*://.*)", re.IGNORECASE | re.DOTALL)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://(?:[^\s@]*@)*[^\s\"'<>`@]*", re.IGNORECASE)
_URL_END = re.compile(r"[:,.;)\]}]*$")
_ENVIRONMENT_LINE = re.compile(
    rf"^((?:export |declare -x )?{_NAME}=)(?![\"']).+$", re.IGNORECASE | re.MULTILINE
)
_PLACES = (
    re.compile(rf"((?<![\w.-]){_NAME}[ \t]*=[ \t]*){_VALUE}", re.IGNORECASE),
    re.compile(rf"(\\*[\"']{_NAME}\\*[\"']\s*:\s*)(?:b?{_QUOTED}|\d+)", re.IGNORECASE),
    re.compile(rf"((?<![\w.-])[A-Z][A-Z0-9]*_(?i:{_NAME})[ \t]*:[ \t]*){_VALUE}"),
    re.compile(
        rf"((?<![\w-])(?:(?-i:-a)|--?{_NAME}|requirepass|masterauth)[\"']?,?[ \t]+){_VALUE}",
        re.IGNORECASE,
    ),
)
_ECHO = re.compile(r",? with args beginning with:[^\n]*")


def hide(text: str, known: Iterable[str] = ()) -> str:
    """A text of anybody's, such as the output of a program, without secrets.

    ``known`` are secrets that may be in it in any spelling; others are hidden by their place. What
    a server quotes of a command that it does not know (it may be ``AUTH``) is left out.
    """
    text = _ECHO.sub("", _hide_known(text, known))
    return _hide_by_place(_ENVIRONMENT_LINE.sub(rf"\1{HIDDEN}", text))


def hide_in_command(arguments: Sequence[str]) -> str:
    """A command line as it may be shown, quoted for a shell. A URL is cut down to its address."""
    return shlex.join(_hidden_arguments(arguments))


def hide_in_command_text(text: str) -> str:
    """A command line in one text as it may be shown."""
    try:
        return hide_in_command(shlex.split(text))
    except ValueError:  # no closing quotation
        return hide(text)


def holds_secret(arguments: Sequence[str]) -> bool:
    """Whether anything in a command line would have to be hidden."""
    return any(map(_holds_secret, arguments, _hidden_arguments(arguments)))


def command_secrets(arguments: Sequence[str]) -> frozenset[str]:
    """The secrets that a command line holds, also in scripts and commands among its arguments."""
    found: set[str] = set()
    for before, word in zip(["", *arguments], arguments, strict=False):
        url = _URL_WORD.fullmatch(word)
        assignment = _ASSIGNMENT_WORD.fullmatch(word)
        if _FLAG.fullmatch(before):
            found.add(word)
        elif assignment and not _is_script(before, word):
            found.add(assignment[2])
        elif url:
            found |= url_secrets(url[2])
        elif any(each.isspace() for each in word):
            found |= command_secrets(_arguments_in(word))
    return frozenset(found) - {"", HIDDEN}


def environment_secrets(environment: Mapping[str, str]) -> frozenset[str]:
    """The secrets among environment variables: by their names, and in URLs."""
    found: set[str] = set()
    for name, value in environment.items():
        if _SECRET_NAME.fullmatch(name):
            found.add(value)
        elif "://" in value:
            found |= url_secrets(value) if has_password(value) else set()
    return frozenset(found) - {""}


def _hidden_arguments(arguments: Sequence[str]) -> list[str]:
    befores = ["", *arguments]
    return [_hidden_argument(*each) for each in zip(befores, arguments, strict=False)]


def _hidden_argument(before: str, word: str) -> str:
    if _FLAG.fullmatch(before):
        return HIDDEN
    assignment = _ASSIGNMENT_WORD.fullmatch(word)
    if assignment is not None and not _is_script(before, word):
        return f"{assignment[1]}{HIDDEN}"
    if (url := _URL_WORD.fullmatch(word)) is not None:
        return f"{url[1]}{address(url[2])}"
    return _hide_by_place(_hide_known(word, command_secrets(_arguments_in(word))))


def _is_script(before: str, word: str) -> bool:
    """Whether a word is a script for a shell: ``PASSWORD=x worker`` in ``sh -c``."""
    return _SCRIPT_FLAG.fullmatch(before) is not None and any(each.isspace() for each in word)


def _arguments_in(word: str) -> list[str]:
    try:
        found = shlex.split(word)
    except ValueError:
        return []
    return found if len(found) > 1 else []


def _holds_secret(word: str, shown: str) -> bool:
    url = None if _ASSIGNMENT_WORD.fullmatch(word) else _URL_WORD.fullmatch(word)
    return has_password(url[2]) if url is not None else word != shown


def _hide_by_place(text: str) -> str:
    text = _URL.sub(_hidden_url, text)
    for pattern in _PLACES:
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def _hidden_url(match: re.Match[str]) -> str:
    end = _URL_END.search(match[0])
    url, rest = match[0], ""
    if end is not None:
        url, rest = url[: end.start()], end[0]
    _, user_info, place, query = split_url(url)
    is_harmless = not user_info and not place.startswith(":") and not _QUERY_SECRET.search(query)
    return match[0] if is_harmless else f"{address(url)}{rest}"


# --- Secrets by their value -----------------------------------------------------------------------

_BACKSLASH = r"(?i:\\|%(?:25)*5c|&#(?:92|x5c);)"
_BACKSLASHES, _ANY_BACKSLASHES = rf"{_BACKSLASH}++", rf"{_BACKSLASH}*+"
_HASH, _SEMICOLON = r"(?:#|%(?:25)*23)", r"(?:;|%(?:25)*3b)"
_BARE_AMPERSAND, _AMP = r"(?:&|%(?:25)*26|\\+u0026)", rf"(?:amp{_SEMICOLON})"
_AMPERSAND = rf"{_BARE_AMPERSAND}{_AMP}*"
_LETTER_ESCAPES = dict(zip("\a\b\t\n\v\f\r\0", "abtnvfr0", strict=True))
_QUOTES = "'\""
_UNITS = re.compile(rf"[{_QUOTES}]+|.", re.DOTALL)
_MOST_ADDED_QUOTES = 10
_MOST_LOST_BYTES = 4
_QUOTE = r"""(?:["'`]|&quot;|&\#(?:39|x27|34);)"""
_SHORT_PLACES = (
    (  # a word that announces it
        re.compile(
            r"""\b(?:pass(?:word|wd|phrase)?|auth|secret|token|pw)\b["'`]*\s*"""
            r"""(?:(?:is|was)\b|[:=])?\s*""",
            re.IGNORECASE,
        ),
        re.compile(r"""(?=[\s"'`\\,;.)\]}<|]|&|$)"""),
    ),
    (re.compile(_QUOTE), re.compile(rf"(?=\\*{_QUOTE})")),
    (re.compile(r"^[ \t]*", re.MULTILINE), re.compile(r"(?=[ \t]*$)", re.MULTILINE)),
    (re.compile(r":"), re.compile(r"(?=@|%40)")),  # user information
)
"""What stands before and behind a short secret where it is shown as a password."""


def _hide_known(text: str, known: Iterable[str]) -> str:
    for secret in sorted({*known} - {"", HIDDEN}, key=len, reverse=True):
        if len(secret) >= SHORTEST:
            text = _cut_out(text, _spans(text, secret))
            continue
        for before, behind in _SHORT_PLACES:
            text = _cut_out(text, _short_spans(text, secret, before, behind))
            text = _cut_out(text, _short_spans(text, secret.strip() or secret, before, behind))
    return text


def _cut_out(text: str, spans: Iterable[tuple[int, int]]) -> str:
    pieces, position = [], 0
    for start, end in spans:
        pieces += [text[position:start], HIDDEN]
        position = end
    return "".join([*pieces, text[position:]])


def _spans(text: str, secret: str) -> Iterator[tuple[int, int]]:
    """Where a secret stands in a text, in any spelling: starts and ends, in order."""
    units = _UNITS.findall(secret)
    position, first = 0, _any_spelling(units[0])
    while (found := first.search(text, position)) is not None:
        ends = _ends(text, found.start(), units)
        if ends:
            yield found.start(), max(ends)
        position = max(ends, default=found.start() + 1)


def _short_spans(
    text: str, secret: str, before: re.Pattern[str], behind: re.Pattern[str]
) -> Iterator[tuple[int, int]]:
    """Where a short secret stands between two things."""
    position, units = 0, _UNITS.findall(secret)
    for found in before.finditer(text):
        ends = _ends(text, found.end(), units) if found.end() >= position else set()
        if bounded := [end for end in ends if behind.match(text, end)]:
            position = max(bounded)
            yield found.end(), position


def _ends(text: str, start: int, units: Sequence[str]) -> set[int]:
    """Where a secret that begins at ``start``, or a long enough first part of it, may end.

    All ways to read the text are followed at once: where escapes can be read in two ways, going
    back to try the other would take time exponential in their number.
    """
    ends, last = {start}, start
    for count, unit in enumerate(units):
        patterns = _spellings(unit)
        ends = {
            found.end()
            for end in ends
            for pattern in patterns
            if (found := pattern.match(text, end)) is not None
        }
        if not ends:
            return {last} if count >= LEAST_PART else set()
        last = max(ends)
    return ends


@functools.lru_cache(maxsize=4096)
def _any_spelling(unit: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{each.pattern})" for each in _spellings(unit)))


@functools.lru_cache(maxsize=4096)
def _spellings(unit: str) -> tuple[re.Pattern[str], ...]:
    """Patterns for one character, or a run of quotes. Each matches at most one length of text at a
    place, so that together they find all."""
    patterns = _quotes(len(unit)) if unit[0] in _QUOTES else _character(unit)
    return tuple(map(re.compile, patterns))


def _quotes(count: int) -> Iterator[str]:
    """A run of quotes, each of either kind: for a shell, ``'`` becomes ``'"'"'``, and again."""
    escapes = "|".join(escape for quote in _QUOTES for escape in _escapes(quote))
    quote = rf"(?i:{_ANY_BACKSLASHES}[{_QUOTES}]|{escapes})"
    yield from (rf"{quote}{{{count + more}}}+" for more in range(_MOST_ADDED_QUOTES))
    yield rf"{quote}{{{count},}}+"


def _character(character: str) -> Iterator[str]:
    yield rf"{_ANY_BACKSLASHES}{re.escape(character)}"
    yield from (rf"(?i:{escape})" for escape in _escapes(character))
    match character:  # those that begin escapes themselves
        case "%":
            yield from ("%25", "%2525", "%252525")
        case "&":
            yield from (rf"(?i:{_BARE_AMPERSAND}{_AMP}{{{count}}})" for count in range(4))
        case "\\":
            yield from (_BACKSLASH, _BACKSLASHES)
        case " ":
            yield r"(?i:\+|%(?:25)*2b)"
    if not character.isascii():
        yield from (rf"\ufffd{{{count}}}" for count in range(1, _MOST_LOST_BYTES + 1))
        yield rf"\?|{re.escape(character.encode('utf-8', 'surrogatepass').decode('latin-1'))}"


def _escapes(character: str) -> Iterator[str]:
    code, data = ord(character), character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    letters = [f"U{code:08x}", rf"u\{{0*{code:x}\}}", *([f"x{code:02x}"] if code < 256 else [])]
    letters += [_LETTER_ESCAPES[character]] if character in _LETTER_ESCAPES else []
    yield rf"{_BACKSLASHES}(?:{'|'.join(letters)})"
    yield "".join(rf"{_BACKSLASHES}u{units[at : at + 4]}" for at in range(0, len(units), 4))
    yield "".join(map(_byte_escape, data))
    names = [rf"{_HASH}(?:0*{code}|x0*{code:x})", *_html_names().get(character, ())]
    yield rf"{_ANY_BACKSLASHES}{_AMPERSAND}(?:{'|'.join(names)}){_SEMICOLON}"


def _byte_escape(byte: int) -> str:
    in_percent = rf"{_ANY_BACKSLASHES}%(?:25)*{byte:02x}"
    return rf"(?:{in_percent}|{_BACKSLASHES}(?:(?:x|u00|udc){byte:02x}|{byte:03o}))"


@functools.cache
def _html_names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, character in html.entities.html5.items():
        if name.endswith(";"):
            found.setdefault(character, []).append(name[:-1])
    return found
