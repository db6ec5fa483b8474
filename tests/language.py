"""Words that are kept out of the code and its documentation, and what to say instead.

The project speaks the language of load testing (``docs/glossary.md``), and none of its own. An
entry is added where a private word or a stilted phrase was found and replaced. ``REMAINING``
switches an entry off for as long as places remain; remove it there to switch it on.
``python -m tests.language`` lists every place.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.sources import Text, name_parts, names, prose


@dataclass(frozen=True)
class BannedName:
    """An identifier, or a part of one, that is not used in the code.

    ``word`` in snake case matches wherever its parts stand in a row in an identifier, in any
    case; ``word`` in CamelCase matches that class name alone, since the English word is harmless.
    """

    word: str
    instead: str
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Identifier that may stay to the reason."""

    def matches(self, identifier: str) -> bool:
        """Whether the identifier uses the word."""
        if identifier in self.allowed:
            return False
        if not self.word.islower():
            return identifier == self.word
        wanted, parts = self.word.split("_"), name_parts(identifier)
        starts = range(len(parts) - len(wanted) + 1)
        return any(parts[start : start + len(wanted)] == wanted for start in starts)


@dataclass(frozen=True)
class BannedPhrase:
    """A phrase that stands in no comment, string, docstring or page."""

    word: str
    """What the entry is called: the phrase in its plainest form."""
    pattern: str
    """Regular expression that finds every form of it, in any case."""
    instead: str
    allowed: Mapping[str, str] = field(default_factory=dict)
    """Path, from the repository's root, of a file that may have the phrase to the reason."""

    def matches(self, text: Text) -> bool:
        """Whether the passage has the phrase."""
        is_allowed = text.path in self.allowed
        return not is_allowed and bool(re.search(self.pattern, text.text, re.IGNORECASE))


_EXAMPLE = "the sub-queues of a shop, in examples"

NAMES: Sequence[BannedName] = (
    BannedName("Ask", "Request"),
    BannedName("BOOKS", "RULESETS"),
    BannedName("Board", "ProgressBoard"),
    BannedName("Children", "SubprocessFleet"),
    BannedName("Claim", "TaskBatch"),
    BannedName("Crew", "LocustFleet"),
    BannedName("Events", "RateSeries, or say which events"),
    BannedName("Fine", "LatencySeries"),
    BannedName("Hired", "ExternalWorker"),
    BannedName("Judgement", "MetricDecision"),
    BannedName("Judging", "DecisionFlags"),
    BannedName("Look", "ServerSample, TaskQueries"),
    BannedName("Looks", "TaskQueries"),
    BannedName("Member", "ProcessHandle"),
    BannedName("Members", "SliceMask"),
    BannedName("Part", "LocustProducer"),
    BannedName("Present", "Hello"),
    BannedName("Question", "Criteria, request"),
    BannedName("Said", "ProcessMessage"),
    BannedName("Tally", "LatencyCounts"),
    BannedName("Tell", "RequestNoReply"),
    BannedName("Thanks", "Ack"),
    BannedName("anew", "again, or the prefix re-"),
    BannedName("books", "reporter, rulesets"),
    BannedName("census", "discovery"),
    BannedName("claim", "batch"),
    BannedName("claims", "batches"),
    BannedName("crew", "fleet"),
    BannedName("footprint", "cleanup"),
    BannedName("foretold", "predicted"),
    BannedName("frame_lane", "PipelinedConnection"),
    BannedName("hired", "external worker"),
    BannedName("lane", "coroutine"),
    BannedName("lanes", "coroutines, EventLoop"),
    BannedName("leftovers", "what is abandoned, cleanup"),
    BannedName("likeness", "comparability"),
    BannedName("looks", "queries, samples"),
    BannedName("mood", "tone"),
    BannedName(
        "orders",
        "messages",
        {"orders_high": _EXAMPLE, "orders_low": _EXAMPLE, "Orders": _EXAMPLE},
    ),
    BannedName("producer_books", "ProducerReporter"),
    BannedName("roll_call", "Reconciler"),
    BannedName("seat", "connection"),
    BannedName("seats", "connections"),
    BannedName("sighting", "Completion"),
    BannedName("sightings", "completions"),
    BannedName("tally", "counts"),
)

PHRASES: Sequence[BannedPhrase] = (
    BannedPhrase("anew.", r"\banew\b", "again, or a verb with re-: restarted, rewritten"),
    BannedPhrase("as ever", r"\bas ever\b", "as usual"),
    BannedPhrase("census.", r"\bcensus\b", "discovery"),
    BannedPhrase("crew.", r"\bcrew\b|\bhired\b|\bseats?\b", "fleet, external worker, connection"),
    BannedPhrase("foretold.", r"\bforetold\b|\bforetells?\b", "predicted"),
    BannedPhrase("gives way", r"\b(gives?|gave|giving) way\b", "bottleneck, limit"),
    BannedPhrase(
        "hear of", r"\bhears? of\b|\bheard of\b", "is notified of, receives, has an effect on"
    ),
    BannedPhrase(
        "held against",
        r"\b(hold|holds|held|holding)\b[^.:;]{0,60}\bagainst\b",
        "compared with, checked against",
    ),
    BannedPhrase("lane.", r"\blanes?\b", "coroutine, connection"),
    BannedPhrase("law of scaling", r"\blaw of scaling\b", "scaling law"),
    BannedPhrase("likeness.", r"\blikeness\b", "comparability"),
    BannedPhrase(
        "on the way",
        r"\bon (the|its|their) way\b(?! out)",
        "in flight; of leaving a block: on exit",
    ),
    BannedPhrase(
        "orders that came", r"\borders (came|that came|in)\b|\btakes? the orders\b", "messages"
    ),
    BannedPhrase("roll call", r"\broll call\b", "reconciliation"),
    BannedPhrase("sighting.", r"\bsightings?\b", "completion"),
    BannedPhrase("the books", r"\bthe books\b", "the ledger, the reporter, the rulesets"),
    BannedPhrase(
        "the same with …",
        r"^[rf]?\"{3}(The same|Like [A-Z`])",
        "a docstring that can be read without its neighbour",
    ),
    BannedPhrase("told of", r"\btold of\b|\btells? of\b", "notified of, reports"),
    BannedPhrase("tried again", r"\btried again\b", "retried"),
)

ENTRIES: Sequence[BannedName | BannedPhrase] = (*NAMES, *PHRASES)

REMAINING: Sequence[str] = ()
"""``word`` of each entry that is switched off, as places remain that are still to be rewritten."""


@dataclass(frozen=True)
class Finding:
    """A place that uses a banned word."""

    text: Text
    entry: BannedName | BannedPhrase

    def __str__(self) -> str:
        place = f"{self.text.path}:{self.text.line}"
        passage = self.text.text.strip()[:100]
        return f"{place}: {self.entry.word!r}, say {self.entry.instead}: {passage}"


def findings(entry: BannedName | BannedPhrase) -> Iterator[Finding]:
    """Every place that uses what the entry bans."""
    if isinstance(entry, BannedName):
        yield from (Finding(name, entry) for name in names() if entry.matches(name.text))
    else:
        yield from (Finding(text, entry) for text in prose() if entry.matches(text))


if __name__ == "__main__":
    for each in ENTRIES:
        for finding in findings(each):
            sys.stdout.write(f"{finding}\n")
