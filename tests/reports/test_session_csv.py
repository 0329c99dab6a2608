"""The report of a session as CSV."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports.examples import CREATED, DRAWN, VERSIONS, refused_file, rows_of
from utils.cases.reviews import Review
from utils.reports.reported import ReportedScan
from utils.reports.session_csv import session_csv


def test_csv_has_a_row_per_scan_with_all_predictions(entry_with) -> None:
    volume = replace(entry_with(("glioma", "meningioma"), flags=("unsure",), slice=3), slice_count=9)
    assert volume.scan is not None
    volume = replace(volume, scan=replace(volume.scan, sequence="T2"))
    scans = [ReportedScan("Scan 1", volume, DRAWN, Review("disagree", "pituitary", "a, b\n“c”"))]
    (row,) = rows_of(session_csv(scans, CREATED))
    assert row == {
        "scan": "Scan 1", "slice": "4", "sequence": "T2", "sequence_origin": "file", "plane": "",
        "plane_origin": "", "status": "disagree", "grade": "ok", "flags": "unsure", "reason": "",
        "cnn_label": "glioma", "cnn_glioma": "0.8500", "cnn_meningioma": "0.0500", "cnn_no_tumor": "0.0500",
        "cnn_pituitary": "0.0500", "cnn_version": VERSIONS["cnn"],
        "vgg16_label": "meningioma", "vgg16_glioma": "0.0500", "vgg16_meningioma": "0.8500",
        "vgg16_no_tumor": "0.0500", "vgg16_pituitary": "0.0500", "vgg16_version": VERSIONS["vgg16"],
        "review_verdict": "disagree", "review_class": "pituitary", "review_note": "a, b\n“c”", "reviewer": "",
        "site_profile": "",
        "created_utc": "2026-11-21T18:04:00Z", "use": "research and education only",
    }  # fmt: skip


@given(st.text(st.characters(exclude_categories=())))
def test_no_cell_of_the_csv_is_a_formula_and_comments_are_kept(note: str) -> None:
    scan = ReportedScan(note, refused_file("name"), DRAWN, Review("agree", None, note))
    text = session_csv([scan], CREATED)
    text.encode("utf-8-sig")
    (row,) = rows_of(text)
    kept = note.encode("utf-8", "replace").decode()
    for cell in (row["scan"], row["review_note"]):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.removeprefix("'") == kept.removeprefix("'")


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_cell_that_looks_like_a_formula_begins_with_an_apostrophe(note: str) -> None:
    (row,) = rows_of(
        session_csv([ReportedScan("Scan 1", refused_file(), DRAWN, Review("agree", None, note))], CREATED)
    )
    assert row["review_note"] == f"'{note}"
