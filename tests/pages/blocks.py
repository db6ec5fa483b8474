"""The shell blocks of a page, and what a comment above each says of running it in a test.

The comment is invisible to readers, who see the command as they would type it::

    <!-- test
    replace: --duration 1h => --duration 1s
    exits: 0 or 4
    prints: of memory
    -->

``replace`` shortens what would take long or names another machine; its left side must stand in the
block. ``exits`` lists the exit codes that the block's commands may have, beside 0. ``prints`` is a
passage of the output, of standard output and standard error together, in which ``…`` stands for
anything and a blank for any space; of several with ``||`` between them, which a busy machine
decides, one is enough. If the page shows an output below the block, in a ``text``
block, the passage must stand there too. ``not run`` gives the reason why a block is not run. A
block without a comment must exit with 0.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

_BLOCK = re.compile(
    r"(?:^<!-- test\n(?P<comment>.*?)\n-->\n+)?"
    r"^```(?P<language>sh|text)\n(?P<content>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_ARROW = " => "
_OR = " || "


@dataclass(frozen=True)
class Block:
    """One shell block of a page."""

    line: int
    """Line of the page, counted from 1, at which it begins."""
    script: str
    exits: frozenset[int] = frozenset({0})
    replaced: tuple[tuple[str, str], ...] = ()
    prints: tuple[str, ...] = ()
    not_run: str = ""
    shown: str = field(default="", compare=False)
    """The output that the page shows below it."""

    def as_tested(self, values: Mapping[str, str]) -> str:
        """Return the script with its replacements; ``{name}`` in them is filled in from values.

        Raises ValueError for a replacement whose left side is not in the block.
        """
        script = self.script
        for old, new in self.replaced:
            if old not in script:
                raise ValueError(f"line {self.line}: {old!r} is not in the block")
            script = script.replace(old, _filled(new, values))
        return script


def _filled(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def blocks(page: str) -> list[Block]:
    """Return the shell blocks of a page in their order. Raises ValueError for an unknown key."""
    found: list[Block] = []
    for match in _BLOCK.finditer(page):
        line = page.count("\n", 0, match.start("content"))
        if match["language"] == "sh":
            found.append(_block(line, match["content"], match["comment"] or ""))
        elif found and not found[-1].shown:
            found.append(replace(found.pop(), shown=match["content"]))
    return found


def _block(line: int, script: str, comment: str) -> Block:
    said: dict[str, list[str]] = {"exits": [], "replace": [], "prints": [], "not run": []}
    for key, value in _entries(line, comment):
        if key not in said:
            raise ValueError(f"line {line}: {key!r} is none of {', '.join(said)}")
        said[key].append(value)
    codes = [int(code) for value in said["exits"] for code in value.split(" or ")]
    pairs = [value.split(_ARROW) for value in said["replace"]]
    return Block(
        line,
        script,
        frozenset({0, *codes}),
        tuple((old, new) for old, new in pairs),
        tuple(said["prints"]),
        " ".join(said["not run"]),
    )


def _entries(line: int, comment: str) -> Iterator[tuple[str, str]]:
    for each in filter(str.strip, comment.splitlines()):
        key, colon, value = each.partition(": ")
        if not colon:
            raise ValueError(f"line {line}: {each!r} is no 'key: value'")
        yield key.strip(), value.strip()


def is_printed(passage: str, output: str) -> bool:
    """Whether the output has the passage, or one of several, however its lines are wrapped."""
    return any(
        re.search(_pattern(each), output, re.DOTALL) is not None for each in passage.split(_OR)
    )


def _pattern(passage: str) -> str:
    return "".join(
        r"\s+" if part.isspace() else ".*?" if part == "…" else re.escape(part)
        for part in re.split(r"(\s+|…)", passage)
    )


def bench_calls(script: str) -> Iterator[list[str]]:
    """Yield the words of each call of ``bench`` in a script, without what belongs to the shell."""
    for words in _commands(_HERE_DOCUMENT.sub("", script.replace("\\\n", " "))):
        call: list[str] = []
        for word in [*words, ";"]:
            if word in _SEPARATORS:
                if call and call[0] == "bench":
                    yield call
                call = []
            elif call or not re.fullmatch(r"\w+=.*", word):
                call.append(word if call else word.rpartition("/")[2])


_HERE_DOCUMENT = re.compile(r"<<'?(\w+)'?(.*?)\n.*?^\1$", re.MULTILINE | re.DOTALL)
_SEPARATORS = (";", "&&", "||", "|", "&", "(", ")")
_REDIRECTION = re.compile(r"[<>]+&?")


def _commands(script: str) -> Iterator[list[str]]:
    """The words of each line, or of several where a quotation goes on."""
    begun = ""
    for line in script.splitlines():
        begun += f"{line}\n"
        try:
            words = list(_words(begun))
        except ValueError:  # no closing quotation
            continue
        begun = ""
        yield words


def _words(line: str) -> Iterator[str]:
    lexer = shlex.shlex(re.sub(r"\s\d(?=>)", " ", line), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = iter(lexer)
    for word in words:
        if word in (">(", "<("):  # the shell puts the name of a pipe here
            yield "/dev/fd/63"
            while next(words, ")") != ")":
                pass
        elif _REDIRECTION.fullmatch(word):
            next(words, None)
        else:
            yield word
