"""Cases as a CSV table, and cells that no spreadsheet program takes for a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases.examples import AGREE, SAME, sha
from utils.cases.reviews import Review
from utils.cases.spreadsheet import FORMULA_PREFIXES, export_csv, safe_cell
from utils.cases.store import Answer, Case, CaseStore
from utils.classes import CLASSES


def test_table_has_columns_for_each_network(store: CaseStore) -> None:
    store.save(sha(1), "Scan 1", Review("disagree", "no_tumor", 'a, "b"\nc', AGREE.time), SAME)
    store.save(sha(2), "Scan 2", Review("unsure", time=AGREE.time), SAME[:1])
    first, second = csv.DictReader(io.StringIO(export_csv(store.cases()), newline=""))
    columns = ["name", "sha256", "verdict", "right_class", "label", "note", "reviewer", "created", "changed"]
    columns += [
        f"{network}_{field}" for network in ("cnn", "vgg16") for field in ("version", "label", *CLASSES)
    ]
    assert list(first) == columns
    assert [first[column] for column in columns[:9]] == [
        "Scan 1", sha(1), "disagree", "no_tumor", "no_tumor", "a, \"b\"\nc", "", AGREE.time, AGREE.time,
    ]  # fmt: skip
    assert (first["vgg16_version"], first["vgg16_label"], first["vgg16_glioma"]) == (
        "b" * 64,
        "glioma",
        "1.0",
    )
    assert (second["right_class"], second["label"], second["vgg16_label"]) == ("", "", "")
    assert export_csv([]).splitlines() == [",".join(columns[:9])]


@pytest.mark.parametrize("beginning", FORMULA_PREFIXES)
def test_no_cell_begins_like_a_formula(beginning: str) -> None:
    evil = f"{beginning}HYPERLINK(1)"
    answer = Answer(evil, evil, "glioma", {"glioma": 1.0})
    case = Case(sha(1), evil, Review("agree", note=evil, time=evil), (answer,), evil)
    for row in csv.reader(io.StringIO(export_csv([case]), newline="")):
        for cell in row:
            assert not cell.startswith(beginning)


@given(st.text(st.characters(exclude_categories=())))
def test_a_cell_is_no_formula_can_be_encoded_and_keeps_its_text(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.startswith(FORMULA_PREFIXES)
    assert cell.removeprefix("'") == text.encode("utf-8", "replace").decode().removeprefix("'")


@pytest.mark.parametrize("prefix", ["=", "＝", "+", "＋", "-", "－", "@", "＠", "\t", "\r", "\n"])
def test_formula_prefixes_are_escaped_also_as_full_width_signs(prefix: str) -> None:
    assert safe_cell(f"{prefix}1") == f"'{prefix}1"
    assert safe_cell("a=1") == "a=1" and safe_cell(0.5) == "0.5"
