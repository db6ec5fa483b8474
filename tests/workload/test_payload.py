"""What is inside payloads: exact sizes, valid JSON, errors that name the line."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ScenarioError
from bench.wire import stamps
from bench.wire.frames import Bodies
from bench.workload import payload
from bench.workload.distribution import Distribution
from bench.workload.payload import Filler, read_lines

HEAD = stamps.head(1_700_000_000_000_000, 1_700_000_000_000_001)
JSON_VALUES: st.SearchStrategy[object] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
JSON_OBJECTS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(
        lambda name: name not in stamps.RESERVED_NAMES
    ),
    JSON_VALUES,
    max_size=4,
)


def payloads(bodies: Bodies) -> list[bytes]:
    return [HEAD + (body if isinstance(body, bytes) else body.tobytes()) for body in bodies]


def fixed(size: int) -> Distribution:
    return Distribution("constant", mean=size)


@pytest.mark.parametrize("size", range(54, 201))
def test_a_payload_has_exactly_its_size_and_is_json(size: int) -> None:
    for text in payloads(Filler(fixed(size), seed=1).bodies(np.arange(20))):
        assert len(text) == size
        assert json.loads(text)["due_us"] == 1_700_000_000_000_000


def test_the_smallest_payload_is_its_stamps_alone() -> None:
    assert payload.MIN_SIZE == 54
    assert payloads(Filler(fixed(54), seed=1).bodies(np.arange(1))) == [HEAD + b"}"]


@pytest.mark.parametrize("size", [65, 66, 100, 1000])
def test_the_filler_is_one_member_of_letters(size: int) -> None:
    for text in payloads(Filler(fixed(size), seed=1).bodies(np.arange(20))):
        fields = json.loads(text)
        assert list(fields) == ["due_us", "sent_us", "data"]
        assert len(fields["data"]) == size - 64
        assert all(letter.isalnum() or letter in "-_" for letter in fields["data"])


@pytest.mark.parametrize(
    "size",
    [
        Distribution("uniform", mean=127, low=54, high=200),
        Distribution("lognormal", mean=256, sigma=0.8),
        Distribution("lognormal", mean=60, sigma=1.5),
        Distribution("lognormal", mean=100_000, sigma=1),
    ],
)
def test_payloads_of_drawn_sizes_are_json_and_never_too_small(size: Distribution) -> None:
    """A drawn size is rounded to the nearest whole number of bytes."""
    numbers = np.arange(300)
    texts = payloads(Filler(size, seed=1).bodies(numbers))
    drawn = size.draw(1, "size", numbers)
    for text, wanted in zip(texts, drawn.tolist(), strict=True):
        assert len(text) == max(round(wanted), payload.MIN_SIZE)
        assert json.loads(text)["sent_us"] == 1_700_000_000_000_001


@given(
    size=st.sampled_from(
        [
            *(fixed(size) for size in (54, 60, 64, 65, 300)),
            Distribution("uniform", mean=127, low=54, high=200),
        ]
    ),
    seed=st.integers(0, 2**32),
    numbers=st.lists(st.integers(0, 2**40), min_size=1, max_size=10),
)
def test_the_same_number_always_gets_the_same_payload(
    size: Distribution, seed: int, numbers: list[int]
) -> None:
    filler = Filler(size, seed)
    together = payloads(filler.bodies(np.array(numbers)))
    alone = [payloads(filler.bodies(np.array([number])))[0] for number in numbers]
    assert together == alone


@pytest.mark.parametrize("size", [fixed(200), Distribution("uniform", mean=150, low=100, high=200)])
def test_contents_differ_between_tasks_and_between_seeds(size: Distribution) -> None:
    """So that nothing on the way can profit from sending the same text again."""
    first = payloads(Filler(size, seed=1).bodies(np.arange(100)))
    second = payloads(Filler(size, seed=2).bodies(np.arange(100)))
    assert len({*first, *second}) == 200


def test_a_payload_longer_than_the_pool_of_letters_has_its_size() -> None:
    """Equal sizes and drawn ones are filled in different ways."""
    big = 300_000
    drawn = Distribution("uniform", mean=big, low=big, high=big)
    for size in (fixed(big), drawn):
        (text,) = payloads(Filler(size, seed=1).bodies(np.array([3])))
        assert len(text) == big
        assert len(json.loads(text)["data"]) == big - 64


def test_no_drawn_payload_is_over_the_largest_size() -> None:
    size = Distribution("lognormal", mean=1e7, sigma=3)
    numbers = np.arange(2000)
    drawn = size.draw(1, "size", numbers)
    extreme = numbers[[int(drawn.argmin()), int(drawn.argmax())]]
    lengths = [len(text) for text in payloads(Filler(size, seed=1).bodies(extreme))]
    assert drawn.max() > payload.MAX_SIZE
    assert lengths == [max(round(drawn.min()), payload.MIN_SIZE), payload.MAX_SIZE]


def test_equal_sizes_are_one_array_and_drawn_ones_a_list() -> None:
    """A frame of equal bodies can be filled by vectors."""
    equal = Filler(fixed(100), seed=1).bodies(np.arange(7))
    assert isinstance(equal, np.ndarray)
    assert equal.shape == (7, 100 - stamps.HEAD_LENGTH)
    drawn = Distribution("uniform", mean=150, low=100, high=200)
    assert isinstance(Filler(drawn, seed=1).bodies(np.arange(7)), list)


@pytest.mark.parametrize("size", [fixed(54), fixed(100), Distribution("lognormal", 100, sigma=1)])
def test_no_tasks_have_no_bodies(size: Distribution) -> None:
    assert len(Filler(size, seed=1).bodies(np.arange(0))) == 0


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ('{"a":1}', [b',"a":1}']),
        ('{"a":1}\n{"b":2}\n', [b',"a":1}', b',"b":2}']),
        ('\n\n{"a":1}\n   \n{"b":2}', [b',"a":1}', b',"b":2}']),
        ('  { "a" : 1 }  \r\n', [b',"a" : 1 }']),
        ("{}", [b"}"]),
        ("{ }", [b"}"]),
        ('{"é":"ü"}', [b',"\xc3\xa9":"\xc3\xbc"}']),
    ],
)
def test_each_line_with_an_object_is_a_payload(
    tmp_path: Path, text: str, bodies: list[bytes]
) -> None:
    file = tmp_path / "payloads.jsonl"
    file.write_text(text, encoding="utf-8")
    assert list(read_lines(file).bodies(np.arange(len(bodies)))) == bodies


def test_lines_are_used_in_turn_by_the_number_of_the_task(tmp_path: Path) -> None:
    file = tmp_path / "payloads.jsonl"
    file.write_text('{"n":0}\n{"n":1}\n{"n":2}\n', encoding="utf-8")
    numbers = np.array([0, 1, 2, 3, 7, 3_000_000_000])
    used = [json.loads(text)["n"] for text in payloads(read_lines(file).bodies(numbers))]
    assert used == [0, 1, 2, 0, 1, 0]


@pytest.mark.slow
@given(objects=st.lists(JSON_OBJECTS, min_size=1, max_size=4))
def test_the_content_of_a_line_is_kept_beside_the_stamps(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, object]]
) -> None:
    file = tmp_path_factory.mktemp("lines") / "payloads.jsonl"
    for ascii_only in (True, False):
        lines = [json.dumps(each, ensure_ascii=ascii_only) for each in objects]
        file.write_text("\n".join(lines), encoding="utf-8")
        texts = payloads(read_lines(file).bodies(np.arange(len(objects))))
        for text, each in zip(texts, objects, strict=True):
            fields = json.loads(text)
            assert fields.pop("due_us") == 1_700_000_000_000_000
            assert fields.pop("sent_us") == 1_700_000_000_000_001
            assert fields == each


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "payload_file {path}: holds no payload; write one JSON object per line"),
        (b"\n \n", "payload_file {path}: holds no payload; write one JSON object per line"),
        (b'{"a":1}\n{"a":\n', "payload_file {path}, line 2: not JSON: "),
        (b'{"a":1}\n\nnope\n', "payload_file {path}, line 3: not JSON: "),
        (b'{"a":1} {"b":2}\n', "payload_file {path}, line 1: not JSON: Extra data"),
        (b'{"a":1}\n[1]\n', "payload_file {path}, line 2: a payload must be a JSON object"),
        (b"3\n", "payload_file {path}, line 1: a payload must be a JSON object"),
        (
            b'{"due_us":1}\n',
            "payload_file {path}, line 1: 'due_us' is a stamp of bench; rename it",
        ),
        (
            b'{}\n{"a":1,"sent_us":2}\n',
            "payload_file {path}, line 2: 'sent_us' is a stamp of bench; rename it",
        ),
        (
            b'{"due\\u005fus":1}\n',
            "payload_file {path}, line 1: 'due_us' is a stamp of bench; rename it",
        ),
        (b'{"a":"\xff"}\n', "payload_file {path}: not UTF-8 at byte 6"),
        (b'{"a":NaN}\n', "payload_file {path}, line 1: not JSON: JSON has no NaN"),
        (b'{}\n{"a":[Infinity]}', "payload_file {path}, line 2: not JSON: JSON has no Infinity"),
        (b'{"a":-Infinity}', "payload_file {path}, line 1: not JSON: JSON has no -Infinity"),
        (b'{"a":' + b"[" * 200_000, "payload_file {path}, line 1: nested too deeply"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_line(tmp_path: Path, text: bytes, message: str) -> None:
    file = tmp_path / "payloads.jsonl"
    file.write_bytes(text)
    with pytest.raises(ScenarioError) as caught:
        read_lines(file)
    assert str(caught.value).startswith(message.format(path=file))


def test_a_byte_order_mark_is_not_a_part_of_the_first_payload(tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_text('{"input": 1}\n', encoding="utf-8-sig")
    assert read_lines(file).bodies(np.arange(1)) == [b',"input": 1}']


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"payload_file .*missing\.jsonl: No such file"):
        read_lines(tmp_path / "missing.jsonl")
    with pytest.raises(ScenarioError, match=r"payload_file .*: Is a directory"):
        read_lines(tmp_path)
