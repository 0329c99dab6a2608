"""CSV tables that are safe to open in a spreadsheet program: single cells, and the table of all cases."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict

from utils.cases.store import Case
from utils.classes import CLASSES

# OWASP, "CSV Injection": the last four are full-width forms, which spreadsheet programs convert.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def export_csv(cases: Sequence[Case]) -> str:
    """The cases as a CSV table, with columns for each network's version, label and probabilities."""
    networks = dict.fromkeys(answer.network for case in cases for answer in case.answers)
    columns = ["name", "sha256", "verdict", "right_class", "label", "note", "reviewer", "created", "changed"]
    columns += [f"{network}_{field}" for network in networks for field in ("version", "label", *CLASSES)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writerow({column: safe_cell(column) for column in columns})
    for case in cases:
        row = asdict(case) | asdict(case.review) | {"label": case.label, "changed": case.review.time}
        for answer in case.answers:
            fields = {"version": answer.version, "label": answer.label, **answer.probabilities}
            row |= {f"{answer.network}_{field}": value for field, value in fields.items()}
        writer.writerow({column: safe_cell(row[column]) for column in columns if row.get(column) is not None})
    return text.getvalue()


def safe_cell(value: object) -> str:
    """The value as text that UTF-8 can encode, with an apostrophe in front where it could be taken for a formula."""
    text = str(value).encode("utf-8", "replace").decode("utf-8")  # unpaired surrogates become "?"
    return f"'{text}" if text.startswith(FORMULA_PREFIXES) else text
