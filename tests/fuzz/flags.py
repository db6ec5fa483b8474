"""Cases of command lines, made from what the commands declare: a new flag is fuzzed as it is."""

import functools
import random
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cli.app import COMMANDS, app
from tests.fuzz import nasty
from tests.fuzz.cases import CANARY, SERVER_URL, Case, CaseFile
from tests.fuzz.nasty import field_example

FILES = {
    "run.json": CaseFile("run-smoke-1"),
    "run2.json": CaseFile("run-smoke-2"),
    "example.json": CaseFile("example"),
    "capacity.json": CaseFile("capacity"),
    "comparison.json": CaseFile("comparison"),
    "clients.json": CaseFile("clients"),
    "restarts.json": CaseFile("restarts"),
    "chaos.json": CaseFile("chaos"),
    "sweep.json": CaseFile("sweep"),
    "selftest.json": CaseFile("selftest"),
    "job.json": CaseFile("job"),
    "scenario.toml": CaseFile("scenario:smoke"),
}
_BY_COMMAND = {
    "report": ("run.json", "capacity.json", "comparison.json", "clients.json", "restarts.json"),
    "compare": ("run.json", "run2.json", "--"),
    "plan": ("capacity.json",),
    "export": ("run.json", "example.json"),
    "clean": ("run.json", "example.json"),
    "history": (".", "a-folder"),
    "run": ("smoke", "priority", "scenario.toml", "enqueue-max"),
    "ab": ("smoke", "scenario.toml"),
    "capacity": ("capacity",),
    "chaos": ("chaos", "scenario.toml"),
    "sweep": ("smoke", "scenario.toml"),
    "worker": ("inference",),
    "enqueue": ("inference_high", '{"input": 1}'),
    "status": ("some-id",),
    "result": ("some-id",),
    "scenarios": ("smoke",),
    "schema": ("record", "scenario"),
}
"""Positional arguments that are right for a command."""
_USUAL = {"plan": ("--rate", "1000/s"), "result": ("--timeout", "10ms"), "compare": ()}
_VARIABLES = ("COLUMNS", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "LC_ALL", "TZ", "HOME")

ONCE_ONLY = ("NO_COLOR", "FORCE_COLOR", "TERM")
"""Variables that are read once in the life of a process."""


@dataclass(frozen=True)
class Flag:
    """One declared flag or positional argument."""

    name: str
    type: str
    """``bool``, ``int``, ``path`` or ``text``."""


@functools.cache
def flags_of(command: str) -> tuple[Flag, ...]:
    """The flags that a command declares, without its positional arguments."""
    declared = app[command].assemble_argument_collection(parse_docstring=False)
    return tuple(
        Flag(each.names[0], _type(each.hint))
        for each in declared
        if each.names[0].startswith("--") and not each.children
    )


def _type(hint: Any) -> str:
    kinds = {hint, *typing.get_args(hint)}
    for kind, name in ((bool, "bool"), (int, "int"), (Path, "path")):
        if kind in kinds:
            return name
    return "text"


def generate(random_: random.Random) -> Case:
    """A command with right and wrong positional arguments and one to four flags."""
    command = random_.choice(list(COMMANDS))
    words = [command, *_positionals(random_, command)]
    if random_.random() < 0.85:
        words += _USUAL.get(command, ())
    for _ in range(random_.choice((1, 1, 2, 2, 3, 4))):
        words += _flag(random_, command)
    variables = {"BENCH_REDIS_URL": SERVER_URL} if random_.random() < 0.7 else {}
    if random_.random() < 0.1:
        variables["BENCH_REDIS_URL"] = nasty.url(random_)
    if random_.random() < 0.02:
        variables[random_.choice(ONCE_ONLY)] = random_.choice(("", "1", "dumb"))
    if random_.random() < 0.1:
        variables[random_.choice(_VARIABLES)] = random_.choice(
            ("", "1", "x", "a-folder", "-1", "é")
        )
    clean = [word.replace("\x00", "") for word in words]  # an argument cannot hold one
    variables = {name: value.replace("\x00", "") for name, value in variables.items()}
    return Case(kind="flags", arguments=tuple(clean), files=FILES, variables=variables)


def _positionals(random_: random.Random, command: str) -> list[str]:
    right = list(_BY_COMMAND.get(command, ()))
    if command == "compare":
        right = ["run.json", "--", "run2.json", "--allow", "order"]
    elif command == "report":
        right = random_.sample(right, random_.choice((1, 1, 2)))
    elif command != "enqueue" and right:
        right = [random_.choice(right)]
    choice = random_.random()
    if choice < 0.75:
        return right
    if choice < 0.85:
        return right[:-1]
    wrong = (*nasty.PATHS, *nasty.READ_ONLY_PATHS, *nasty.TEXTS, *nasty.AMOUNTS, *FILES)
    return [*right[:-1], random_.choice(wrong)]


def _flag(random_: random.Random, command: str) -> list[str]:
    known = flags_of(command)
    if not known or random_.random() < 0.03:
        return [random_.choice(("--nope", "-x", "--", "--=", "--help", "--version", "-", ""))]
    flag = random_.choice(known)
    if flag.type == "bool":
        return [random_.choice((flag.name, flag.name, f"{flag.name}=x", f"{flag.name}=false"))]
    if random_.random() < 0.03:
        return [flag.name]
    value = _value(random_, flag)
    return [f"{flag.name}={value}"] if random_.random() < 0.6 else [flag.name, value]


def _value(random_: random.Random, flag: Flag) -> str:
    if flag.name == "--redis-url":
        return nasty.url(random_)
    if flag.type == "path":
        return random_.choice(nasty.PATHS)
    if flag.type == "int":
        return random_.choice((*nasty.NUMBERS, "1", "2", "3", *nasty.TEXTS[:6]))
    if flag.name in ("--a", "--b"):
        return f"--{random_.choice(('rate', 'workers', 'slo', 'nope'))} {nasty.argument(random_)}"
    if flag.name == "--worker-command":
        return random_.choice(("true {url}", "x {nope}", "{host}:{port}", "'", CANARY, ""))
    return nasty.argument(random_, field_example(flag.name[2:].replace("-", "_")))
