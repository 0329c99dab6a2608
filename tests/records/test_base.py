"""JSON files as records: what is read is what was written, and a broken file is named with its field."""

from __future__ import annotations

import json

import pytest
from pydantic import Field, ValidationError, model_validator

from utils.records.base import InvalidRecord, Record, read_record, write_record


class Part(Record):
    n: int
    share: float | None = None


class Example(Record):
    name: str
    parts: dict[str, Part] = Field(default_factory=dict)
    levels: tuple[float, ...] = ()
    least: float = Field(0.0, alias="from")

    @model_validator(mode="after")
    def _has_a_name(self) -> Example:
        if not self.name:
            raise ValueError("the name is empty.")
        return self


COMPLETE = {"name": "größer", "parts": {"b": {"n": 2, "share": None}, "a": {"n": 1}}, "levels": [0.1, 2.5]}


def test_a_record_is_written_as_it_was_read(tmp_path):
    file = tmp_path / "example.json"
    content = json.dumps(COMPLETE, indent=1, ensure_ascii=False) + "\n"
    file.write_text(content, encoding="utf-8")
    record = read_record(file, Example)
    assert record.parts["b"].n == 2 and record.levels == (0.1, 2.5) and record.least == 0.0
    write_record(file, record)
    assert file.read_text(encoding="utf-8") == content
    assert [path.name for path in tmp_path.iterdir()] == ["example.json"]


def test_a_changed_copy_is_written_with_its_aliases(tmp_path):
    file = tmp_path / "example.json"
    record = Example.model_validate({"name": "a", "from": 2.0})
    write_record(file, record.model_copy(update={"name": "b"}))
    assert json.loads(file.read_text()) == {"name": "b", "from": 2.0}
    assert record.name == "a"


def test_a_record_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        Example(name="a").name = "b"  # type: ignore[misc, call-arg]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "it is not valid JSON"),
        ("[1]", "it does not hold a JSON object"),
        ("{}", "`name` is missing"),
        ('{"name": 3}', "`name`: input should be a valid string"),
        ('{"name": ""}', "the name is empty"),
        ('{"name": "a", "nmae": "b"}', "`nmae` is not a known field"),
        ('{"name": "a", "parts": {"b": {}}}', "`parts.b.n` is missing"),
        ('{"name": "a", "parts": {"b": {"n": true}}}', "`parts.b.n`: input should be a valid integer"),
        ('{"name": "a", "levels": [1, "2"]}', "`levels.1`: input should be a valid number"),
        ('{"name": "a", "levels": [NaN]}', "`levels.0`: input should be a finite number"),
    ],
)
def test_an_invalid_file_is_named_with_its_field(tmp_path, content, problem):
    file = tmp_path / "example.json"
    file.write_text(content)
    with pytest.raises(InvalidRecord) as caught:
        read_record(file, Example)
    assert str(caught.value) == f"{file} cannot be used: {problem}."
    assert caught.value.problem == problem


def test_a_file_that_is_not_there_is_not_an_invalid_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_record(tmp_path / "example.json", Example)
