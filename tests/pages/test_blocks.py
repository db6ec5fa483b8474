"""Reading shell blocks, and what the comments above them say."""

import pytest

from tests.pages.blocks import Block, bench_calls, blocks, is_printed

PAGE = """# Page

<!-- test
replace: 1h => {short}
exits: 0 or 4
prints: of memory
-->
```sh
bench run --duration 1h
```

It prints

```text
12 B of memory
```

```sh
bench scenarios
```
"""


def test_a_block_has_what_its_comment_says_and_the_output_below_it() -> None:
    first, second = blocks(PAGE)
    assert first == Block(
        8,
        "bench run --duration 1h\n",
        frozenset({0, 4}),
        (("1h", "{short}"),),
        ("of memory",),
    )
    assert first.shown == "12 B of memory\n"
    assert first.as_tested({"short": "1s"}) == "bench run --duration 1s\n"
    assert second.script == "bench scenarios\n"
    assert (second.exits, second.shown) == (frozenset({0}), "")


@pytest.mark.parametrize(
    ("comment", "message"),
    [("print: x", "'print' is none of"), ("exits", "is no 'key: value'")],
)
def test_a_comment_that_says_nothing_is_refused(comment: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blocks(f"<!-- test\n{comment}\n-->\n```sh\nx\n```\n")


def test_a_replacement_that_replaces_nothing_is_refused() -> None:
    (block,) = blocks("<!-- test\nreplace: 2h => 1s\n-->\n```sh\nbench run -d 1h\n```\n")
    with pytest.raises(ValueError, match="'2h' is not in the block"):
        block.as_tested({})


@pytest.mark.parametrize(
    ("passage", "is_there"),
    [
        ("per task: … of memory", True),
        ("2.5 kB of memory", True),
        ("of memory per task", False),
        ("per task:", True),
    ],
)
def test_a_passage_may_be_wrapped_and_leave_something_open(passage: str, is_there: bool) -> None:
    assert is_printed(passage, "Redis per task: 5 µs CPU, 2.5 kB of\nmemory\n") is is_there


def test_one_of_several_passages_is_enough() -> None:
    assert is_printed("of memory || of disk", "2.5 kB of\nmemory\n")
    assert is_printed("of disk || of memory", "2.5 kB of\nmemory\n")
    assert not is_printed("of disk || of paper", "2.5 kB of\nmemory\n")


@pytest.mark.parametrize(
    ("script", "calls"),
    [
        ("bench run a \\\n  --rate 1/s\n", [["run", "a", "--rate", "1/s"]]),
        ("X=1 bench run &\nbench report r.json | head\n", [["run"], ["report", "r.json"]]),
        (".venv/bin/pip install . && .venv/bin/bench run\n", [["run"]]),
        ("bench run   # once\nbench export r > r.csv\n", [["run"], ["export", "r"]]),
        ("bench run --slo 'e2e.p99 < 1s' 2>> log", [["run", "--slo", "e2e.p99 < 1s"]]),
        ("bench run -o >(gzip > r.gz) -q", [["run", "-o", "/dev/fd/63", "-q"]]),
        ("cat <<'E' >f\nbench x\nit's\nE\nbench run\n", [["run"]]),
        ("bench run --name 'two\nlines' -q", [["run", "--name", "two\nlines", "-q"]]),
        ("source <(bench completion bash)", []),
        ("echo bench run\n", []),
    ],
)
def test_the_calls_in_a_script_are_found(script: str, calls: list[list[str]]) -> None:
    assert [call[1:] for call in bench_calls(script)] == calls
