"""JSON files as typed, frozen records: one function reads and validates a file, one writes it.

A file is a class derived from `Record`; nested objects are classes derived from it too. Keys that a file lacks stay
absent when the record is written again, and keys come in the order of the class's fields.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from utils.paths import shown


class Record(BaseModel):
    """A frozen value with validated fields; `record.model_copy(update={...})` gives a changed copy.

    Unknown keys, numbers that are not finite and, in files, values of another JSON type than the field's are invalid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InvalidRecord(ValueError):
    """A JSON file that is not the record it should be; the text is one sentence that names the file and the field.

    `problem` is the sentence's second half, without the file: "`input_size` is missing".
    """

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{shown(file)} cannot be used: {problem}.")
        self.file, self.problem = file, problem


AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_record(file: Path, kind: type[AnyRecord]) -> AnyRecord:
    """The record of class `kind` that a JSON file holds.

    Raises OSError where the file cannot be read, InvalidRecord where it does not hold such a record.
    """
    return parse_record(file.read_bytes(), kind, file)


def parse_record(content: bytes, kind: type[AnyRecord], file: Path) -> AnyRecord:
    """The record that the content of a JSON file holds; `file` names it in InvalidRecord."""
    try:
        return kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise InvalidRecord(file, _problem(error)) from None


def write_record(file: Path, record: Record) -> None:
    """Write a record as JSON, atomically: readers see the old file or the new one. Raises OSError."""
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.write_text(record_json(record), encoding="utf-8")
    unfinished.replace(file)


def record_json(record: Record) -> str:
    """The text of the file that holds a record."""
    values = record.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"


def _problem(error: ValidationError) -> str:
    """The first error in words: "`classes.glioma.n` is missing"."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ").rstrip(".")
    match first["type"]:
        case "json_invalid":
            return "it is not valid JSON"
        case "missing":
            return f"`{field}` is missing"
        case "extra_forbidden":
            return f"`{field}` is not a known field"
        case "value_error":
            return f"`{field}`: {message}" if field else message
        case _ if not field:
            return "it does not hold a JSON object"
    return f"`{field}`: {message[0].lower()}{message[1:]}"
