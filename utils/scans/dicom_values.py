"""Attributes of DICOM files, read so that a malformed value is no more than a missing one."""

from __future__ import annotations

import math
from typing import Any

from pydicom.dataset import Dataset

BACKSLASH = "\\"  # separates the values of an attribute


def value_of(ds: Dataset, keyword: str) -> Any:
    """The value of an attribute, None where it is missing; its raw text where it breaks the rules of its type."""
    if keyword not in ds:
        return None
    try:
        return ds[keyword].value
    except Exception:  # pydicom converts values late, and raises almost anything
        raw = ds.get_item(keyword)
        return getattr(raw, "value", None)


def frame_value(ds: Dataset, group: str, keyword: str, index: int) -> Any:
    """An attribute of one frame: from its own functional group, else the shared one, else the file."""
    frames = ds.get("PerFrameFunctionalGroupsSequence") or []
    places = [frames[index]] if index < len(frames) else []
    places += list(ds.get("SharedFunctionalGroupsSequence") or [])[:1]
    for place in places:
        for item in list(place.get(group) or [])[:1]:
            if keyword in item:
                return value_of(item, keyword)
    return value_of(ds, keyword)


def first_number(value: Any) -> float | None:
    numbers = finite_numbers(value)
    return numbers[0] if numbers else None


def finite_numbers(value: Any) -> list[float]:
    """The numbers of an attribute with one or more values; none if one of them is not a finite number.

    Texts are read, also with decimal commas, as some programs write them.
    """
    if value is None:
        return []
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        value = value.replace("\0", " ").split(BACKSLASH)
    try:
        parts = list(value) if hasattr(value, "__iter__") else [value]
        numbers = [float(part.strip().replace(",", ".") if isinstance(part, str) else part) for part in parts]
    except (TypeError, ValueError):
        return []
    return numbers if all(map(math.isfinite, numbers)) else []


def texts(value: Any) -> list[str]:
    """The values of an attribute as texts, upper case, without padding."""
    if value is None:
        return []
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    parts = value.split(BACKSLASH) if isinstance(value, str) else value
    try:
        return [str(part).strip().strip("\0").upper() for part in parts]
    except TypeError:
        return [str(value).upper()]


def whole_number(ds: Dataset, keyword: str) -> int | None:
    number = first_number(value_of(ds, keyword))
    return None if number is None else int(number)
