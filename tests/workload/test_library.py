"""Scenarios by name and by file."""

from importlib.resources import files
from pathlib import Path

import pytest

from bench.errors import ScenarioError
from bench.workload import library


def test_every_shipped_file_is_listed_and_every_listed_name_is_shipped() -> None:
    shipped = {
        entry.name.removesuffix(".toml")
        for entry in files("bench.scenarios").iterdir()
        if entry.name.endswith(".toml")
    }
    assert sorted(library.names()) == sorted(shipped)
    assert library.DEFAULT in shipped


def test_the_list_of_names_is_the_callers_own() -> None:
    library.names().clear()
    assert library.names()[0] == "smoke"


@pytest.mark.parametrize("name", library.names())
def test_a_built_in_scenario_goes_by_its_name_and_says_what_it_answers(name: str) -> None:
    source, fields = library.load(name)
    assert (source, fields["name"]) == (name, name)
    assert str(fields["description"]).endswith((".", "?"))


@pytest.mark.parametrize("name", library.names())
def test_a_copy_of_a_built_in_scenario_is_the_same_scenario(name: str, tmp_path: Path) -> None:
    copy = tmp_path / f"{name}.toml"
    copy.write_text(library.text_of(name), encoding="utf-8")
    assert library.load(str(copy)) == (str(copy), library.load(name)[1])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smok", "no scenario 'smok': did you mean 'smoke'?"),
        ("enqueue", "no scenario 'enqueue': did you mean 'enqueue-max'?"),
        ("xyzzy", "no scenario 'xyzzy': see 'bench scenarios'"),
        ("", "no scenario '': see 'bench scenarios'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, message: str) -> None:
    for read in (library.load, library.text_of):
        with pytest.raises(ScenarioError) as caught:
            read(name)
        assert str(caught.value) == message


def test_a_file_is_named_by_its_stem_unless_it_says_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 4\n", encoding="utf-8")
    assert library.load(str(file)) == (str(file), {"name": "mine", "seed": 4})
    file.write_text('name = "other"\n', encoding="utf-8")
    assert library.load(str(file))[1] == {"name": "other"}


def test_a_path_separator_makes_it_a_file_whatever_its_ending(tmp_path: Path) -> None:
    file = tmp_path / "smoke"
    file.write_text("seed = 4\n", encoding="utf-8")
    assert library.load(str(file))[1] == {"name": "smoke", "seed": 4}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("lines.jsonl", "{folder}/lines.jsonl"),
        ("../lines.jsonl", "{folder}/../lines.jsonl"),
        ("/srv/lines.jsonl", "/srv/lines.jsonl"),
    ],
)
def test_a_payload_file_is_found_from_the_scenario_that_names_it(
    tmp_path: Path, written: str, expected: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(f'payload_file = "{written}"\n', encoding="utf-8")
    assert library.load(str(file))[1]["payload_file"] == expected.format(folder=tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"rate = \n", "line 1"),
        (b'rate = "5/s"\nduration == 3\n', "line 2"),
        (b"seed = 1\n\n\nseed = 2\n", "line 4"),
        (b'name = "\xff"\n', "not UTF-8 at byte 8"),
    ],
)
def test_a_malformed_file_is_refused_by_name_and_place(
    tmp_path: Path, text: bytes, message: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(text)
    with pytest.raises(ScenarioError) as caught:
        library.load(str(file))
    assert str(caught.value).startswith(f"{file}: not ")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [f"seed = {'9' * 5000}", f"slo = {'[' * 5000}"])
def test_a_number_or_a_nesting_that_no_reader_holds_is_refused_by_name(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ScenarioError, match=rf"^{file}: "):
        library.load(str(file))


def test_a_byte_order_mark_is_not_a_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 4\n", encoding="utf-8-sig")
    assert library.load(str(file))[1] == {"name": "mine", "seed": 4}


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing.toml"
    with pytest.raises(ScenarioError) as caught:
        library.load(str(missing))
    assert str(caught.value) == f"{missing}: No such file or directory"
    with pytest.raises(ScenarioError) as caught:
        library.load(str(tmp_path))
    assert str(caught.value) == f"{tmp_path}: Is a directory"
