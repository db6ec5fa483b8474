"""The rules of all layouts by name: a new layout joins here too."""

from bench.conformance import asynq_rules, runqy_rules
from bench.conformance.rules import RuleBook

BOOKS: dict[str, RuleBook] = {
    book.layout.name: book for book in (runqy_rules.BOOK, asynq_rules.BOOK)
}
