"""Localisation: charts, table and words of how often maps point at tumours and outlines lie on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from utils.charts import localisation
from utils.evidence.outlines import sizes_in_words
from utils.records.base import write_record
from utils.records.segmentation import OutlineRecord
from utils.results.records import load_explanations, load_outlines
from utils.results.tables import places_table
from utils.results.track_record import pointing_sentence

PROTOCOL = "patient-disjoint"


def test_the_chart_of_pointing_names_the_best_method_and_has_a_row_each(evidence_record: Callable) -> None:
    figure = localisation.pointing({"CNN": evidence_record(0.2), "VGG16": evidence_record(0.9)})
    title = figure.layout.title.text.replace("<br>", " ")
    assert "of VGG16: peak activation inside the tumour in" in title
    assert {trace.y[0] for trace in figure.data} == {"Grad-CAM", "LayerCAM"} and len(figure.data) == 4
    assert all(trace.error_x.array[0] >= 0 and trace.error_x.arrayminus[0] >= 0 for trace in figure.data)


def test_the_chart_of_outlines_tells_overlap_and_false_ones(outline_record: OutlineRecord) -> None:
    figure = localisation.outlines(outline_record)
    title = figure.layout.title.text.replace("<br>", " ")
    assert title == "Mean Dice of outlines 0.80; false-positive rate 10.0 % on scans without tumour"
    rows = {trace.y[0] for trace in figure.data}
    assert {"all tumours", "glioma", "pituitary tumour", "small tumours", "large tumours"} <= rows


def test_the_table_of_places_has_a_row_for_each_class_and_says_general_things_once(evidence_record) -> None:
    table = places_table({"CNN": evidence_record(1.0)})
    assert len(table) == 2 * 4 and table["Tumours"][0] == "all tumours (45)"
    assert table["Points inside"][0].startswith("100.0 %")
    assert (table["Head shuffled"] != "").sum() == 2


@pytest.mark.parametrize(
    ("method", "label", "words"),
    [
        ("gradcam", "glioma", "inside the tumour on 100 % of 15 held-out scans with glioma"),
        ("scorecam", "glioma", "Not yet measured"),
        ("gradcam", "no_tumor", "no single location"),
    ],
)
def test_pointing_in_a_sentence(evidence_record, method: str, label: str, words: str) -> None:
    assert words in pointing_sentence(evidence_record(1.0), method, label)
    assert "of 15" not in pointing_sentence(None, method, label)


def test_sizes_are_told_in_the_best_unit_that_is_known() -> None:
    none = {"area": 0, "diameter": 0.0, "area_mm2": None, "diameter_mm": None}
    assert sizes_in_words(none) == "No lesion segmented"
    pixels = none | {"area": 812, "diameter": 41.3}
    assert sizes_in_words(pixels) == "812 pixels, longest diameter 41 pixels"
    assert (
        sizes_in_words(pixels | {"area_mm2": 512.0, "diameter_mm": 31.2}) == "5.1 cm², longest diameter 31 mm"
    )


def test_records_are_loaded_only_where_they_are_whole(
    tmp_path: Path, evidence_record, outline_record
) -> None:
    record = evidence_record(0.5)
    maps, outlines = (
        tmp_path / "cnn--patient-disjoint--explanations.json",
        tmp_path / "unet--patient-disjoint.json",
    )
    write_record(maps, record)
    write_record(outlines, outline_record)
    assert load_explanations(tmp_path, "cnn", PROTOCOL) == record
    loaded = load_outlines(tmp_path, "unet", PROTOCOL)
    assert loaded is not None and loaded.dice == pytest.approx(0.8, abs=0.001)
    write_record(maps, evidence_record(0.5, part="validation"))
    outlines.write_text("{")
    assert load_explanations(tmp_path, "cnn", PROTOCOL) is None
    assert load_outlines(tmp_path, "unet", PROTOCOL) is None
    assert load_explanations(tmp_path, "vgg16", PROTOCOL) is None
    assert load_outlines(tmp_path, "unet", "published") is None
