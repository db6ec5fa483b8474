"""What ``bench init`` asks on a terminal where no server tells: each answer is checked at once."""

import sys
from collections.abc import Mapping

from rich.console import Console
from rich.prompt import Prompt

from bench.cli.messages import notify
from bench.errors import UsageError
from bench.layouts import registry
from bench.survey.drafted import Draft, DraftedField
from bench.workload.fields import FIELDS
from bench.workload.override import override
from bench.workload.queue_weights import parse_weights
from bench.workload.resolve import resolve

_QUESTIONS: Mapping[str, tuple[str, str]] = {
    "layout": (
        f"Layout of the queue in Redis ({', '.join(registry.names())})",
        registry.default.name,
    ),
    "queues": (
        "Queues with their shares of the load, highest priority first",
        "inference_high=1,inference_default=2,inference_low=1",
    ),
    "rate": ("Tasks that arrive, on average", "100/s"),
    "payload_size": ("Size of a payload", "256B"),
    "service_time": ("Time that a task takes", "exp:5ms"),
    "concurrency": ("Tasks that a worker runs at a time", "4"),
    "max_retry": ("Attempts after the first", "3"),
}
"""Field to question and usual answer."""
_CHOSEN = {"arrivals": "poisson", "duration": "20s"}


def can_ask() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def draft_of_answers(given: Mapping[str, object], *, asks: bool) -> Draft:
    """Returns the draft that answers make; without asking, the usual answers.

    What was ``given`` by flags is not asked for. Raises UsageError where the answers end early.
    """
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    known = dict(given)
    origin = "answered" if asks else "assumed: the usual value"
    fields: list[DraftedField] = []
    for name, (question, typical) in _QUESTIONS.items():
        if name in given:
            continue
        usual = _usual(name, typical, known)
        answer = _asked(console, name, question, usual, known) if asks else usual
        known[name] = _written(name, answer)
        fields.append(DraftedField(name, known[name], origin))
    fields += [
        DraftedField(name, value, "chosen: a short first run with independent arrivals")
        for name, value in _CHOSEN.items()
        if not (name == "arrivals" and known["rate"] == "max")
    ]
    made_of = "from answers" if asks else "from the usual values, without asking"
    return Draft(fields, (), made_of)


def _written(name: str, answer: str) -> object:
    """An answer as TOML would hold it. Raises UsageError."""
    declared = FIELDS[name].declared.type
    if name != "queues":
        return declared.from_option(answer)
    return {
        queue: int(weight) if weight.is_integer() else weight
        for queue, weight in parse_weights(answer).items()
    }


def _usual(name: str, usual: str, known: Mapping[str, object]) -> str:
    """The usual answer; the queues' names are written with the layout's separator."""
    entry = registry.find(str(known.get("layout", registry.default.name)))
    if name != "queues" or entry is None:
        return usual
    return usual.replace("_", entry.layout.separator)


def _asked(
    console: Console, name: str, question: str, usual: str, known: Mapping[str, object]
) -> str:
    """Asks until an answer makes a scenario with what is known and the usual rest."""
    while True:
        try:
            answer = Prompt.ask(question, console=console, default=usual)
            tried = {**known, name: _written(name, answer)}
            usual_rest = {
                each: _written(each, _usual(each, typical, tried))
                for each, (_, typical) in _QUESTIONS.items()
            }
            base = {**usual_rest, "name": "draft", "duration": "20s"}
            resolve(override(base, tried), "answer")
        except EOFError:
            raise UsageError("the answers ended early: answer all, or say --yes") from None
        except UsageError as error:
            notify(str(error))
        else:
            return answer
