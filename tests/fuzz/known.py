"""Faults that are known and not mended yet.

The suite reads this list strictly: each case of the corpus that stands here must still fail, and in
the way that is described, so that whoever mends a fault also removes it from here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.fuzz.cases import Case


@dataclass(frozen=True)
class Known:
    """One fault: what it is, how it shows, and the cases of the corpus that have it."""

    what: str
    kinds: frozenset[str]
    fault: str
    """A regular expression that finds it among what the oracle says."""
    cases: frozenset[str]
    """``kind/name`` of each."""
    waits: bool = False
    """Whether its cases take ten seconds each; they run with ``--nightly`` only."""


def _known(what: str, fault: str, cases: str, *, waits: bool = False) -> Known:
    kinds = dict[str, list[str]]()
    for line in cases.split(";"):
        kind, _, names = line.strip().partition(": ")
        kinds[kind] = [f"{kind}/{name}" for name in names.split()]
    return Known(
        what, frozenset(kinds), fault, frozenset(n for each in kinds.values() for n in each), waits
    )


KNOWN: Sequence[Known] = (
    _known(
        "whole numbers that no message between processes can hold",
        r"can't serialize ints",
        "scenarios: seed-2-64 seed-of-40-digits tasks-2-64 max-backlog-2-64;"
        "flags: seed-2-64 tasks-2-64",
    ),
    _known(
        "TOML whose numbers or nesting Python's parser cannot read",
        r"raised: (RecursionError|ValueError: Exceeds the limit)",
        "scenarios: number-of-5000-digits nested-500-deep nested-100000-deep",
    ),
    _known(
        "values that a scenario or a flag should refuse",
        r"^taken, and not refused|^exit code \d, and not 2$",
        "scenarios: worker-command-with-nul queue-with-escape queue-with-nul service-time-10-13-s;"
        "flags: margin-5 url-empty port-huge url-database-name url-decode-responses url-protocol-3",
    ),
    _known(
        "a payload file that never ends or that nobody writes",
        r"^hung",
        "scenarios: payload-file-that-never-ends payload-file-is-a-pipe",
        waits=True,
    ),
    _known(
        "text of others that a terminal acts on",
        r"^active characters|^a refusal whose last line",
        "scenarios: payload-file-with-escape;"
        "flags: page-with-line-break payload-file-with-line-break folder-with-carriage-return"
        " record-with-escape record-with-line-separator record-with-direction schema-with-delete"
        " id-with-bell allow-with-direction;"
        "records: text-with-nul text-with-c1 text-with-delete warning-with-escape"
        " format-with-escape;"
        "servers: enqueue-error-with-escape",
    ),
    _known(
        "names of files and queues that are not UTF-8",
        r"^raised: UnicodeEncodeError",
        "flags: output-not-utf-8 pictures-not-utf-8 enqueue-surrogate",
    ),
    _known(
        "URLs that redis-py or the name service cannot use",
        r"^raised: (UnicodeError|TypeError: AbstractConnection|redis\.exceptions\.RedisError)",
        "flags: url-host-not-idna url-host-of-3000 url-host-with-direction url-unknown-option"
        " url-certificate-option",
    ),
    _known("a payload that nests", r"^raised: RecursionError", "flags: enqueue-nested"),
    _known(
        "the summary of a CI's step decides the exit code",
        r"^exit code 2, and not 0",
        "flags: step-summary-nowhere",
    ),
    _known(
        "messages that are none",
        r"^raised: (msgspec\.|UnicodeDecodeError|RecursionError)",
        "messages: channel-cut-off channel-number channel-nested report-number report-not-utf-8"
        " channel-nested-in-an-unknown-field",
    ),
    _known(
        "replies that are not of the protocol",
        r"InvalidResponse: |ProtocolError: ",
        "servers: verify-speaks-http clean-speaks-http enqueue-speaks-http status-speaks-http"
        " result-speaks-http run-speaks-http worker-speaks-http clients-speaks-http"
        " clean-multi-bulk-of-2-63 verify-integer-of-2-63 enqueue-integer-of-2-63 worker-garbage",
    ),
    _known(
        "replies of another type or with other content than the command has",
        r"^raised: (TypeError|ValueError|AttributeError|KeyError|IndexError|OverflowError"
        r"|UnicodeDecodeError|RecursionError|json\.|redis\.exceptions\.(Ask|Authentication)Error)",
        "servers: clean-counts-in-text clean-number-in-place-of-a-set clean-cursor-of-text"
        " verify-one-in-place-of-two verify-nan verify-nothing-but-texts"
        " status-number-in-place-of-a-hash status-hash-not-utf-8 result-nan-in-place-of-a-state"
        " result-not-json result-not-utf-8 result-nested-100000-deep worker-ask worker-nan"
        " worker-password-wanted-in-between"
        " run-info-empty run-info-garbage run-time-garbage run-time-of-2-63",
    ),
    _known(
        "a reply that comes byte by byte is waited for without an end",
        r"^(hung|slow)",
        "servers: run-reply-byte-by-byte",
        waits=True,
    ),
    _known(
        "a child's exception passed on as its name",
        r"^(exit code 4, and not 6|not foreseen: )",
        "servers: capacity-speaks-http",
    ),
)

BY_CHANCE = frozenset({"servers/worker-cut-off"})
"""Cases whose fault shows or not, depending on what arrives together: they may do either."""


def is_known(kind: str, faults: Sequence[str]) -> bool:
    """Whether each of the faults of a case is one that is known."""
    patterns = [each.fault for each in KNOWN if kind in each.kinds]
    return all(any(re.search(pattern, fault) for pattern in patterns) for fault in faults)


def entry_of(case: Case) -> Known | None:
    """The entry that lists a case of the corpus, or None."""
    return next((each for each in KNOWN if f"{case.kind}/{case.name}" in each.cases), None)
