"""The pure function that builds what the viewer shows: panes, outlines and captions."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from utils.app.panes import Map, build_view


@pytest.fixture
def entry(make_entry):
    return make_entry("a.png", ("glioma", "glioma"), 0.9)


def maps(entry, label: str = "glioma", threshold: float | None = None) -> list[Map]:
    return [Map(reading, label, 0.5, threshold) for reading in entry.readings]


def caption(shown: Map) -> str:
    return f"Track record of {shown.reading.title}"


def test_the_original_image_stands_before_the_map_of_every_model(entry) -> None:
    view = build_view(entry, maps(entry), caption)
    assert [pane.title for pane in view.panes] == ["a.png", "CNN: glioma, 90 %", "VGG16: glioma, 90 %"]
    original, cnn, vgg16 = view.panes
    assert original.strength is None and original.caption == "Original image"
    assert cnn.caption == "Track record of CNN" and cnn.full == (0.5, "logits")
    assert vgg16.alt == "The scan a.png with the Grad-CAM saliency map of VGG16 for glioma"
    np.testing.assert_array_equal(cnn.strength, entry.readings[0].strength("glioma", 0.5))
    assert not view.is_study and view.file == "a-evidence" and view.name.endswith(" a.png")


def test_a_study_has_maps_alone_and_names_method_and_class(entry) -> None:
    view = build_view(entry, maps(entry, "pituitary"), caption, is_study=True)
    assert [pane.title for pane in view.panes] == [
        "CNN: Grad-CAM, pituitary tumour",
        "VGG16: Grad-CAM, pituitary tumour",
    ]


def test_outlines_are_passed_on_where_there_are_any(entry) -> None:
    line = np.array([[1, 1], [5, 1], [5, 5]])
    assert build_view(entry, maps(entry), caption).outlines == {}
    view = build_view(entry, maps(entry), caption, outline=[line], reference=[line, line])
    assert {kind: len(contours) for kind, contours in view.outlines.items()} == {"outline": 1, "mask": 2}


def test_the_peak_activation_is_located_where_a_threshold_was_fitted(entry) -> None:
    assert build_view(entry, maps(entry), caption).captions == ()
    (text,) = build_view(entry, maps(entry, threshold=1e-6), caption).captions
    assert text.startswith("Peak activation for glioma: CNN: ") and "of the head" in text
    assert "overlap of the regions" in text
    (text,) = build_view(entry, maps(entry, threshold=1e6), caption).captions
    assert "below the threshold for a region" in text
    assert build_view(entry, maps(entry, "no_tumor", 1e-6), caption).captions == ()


def test_models_that_mark_the_same_lesion_name_one_place(entry) -> None:
    """Their centroids may lie in two ninths of the image."""
    (text,) = build_view(entry, maps(entry, threshold=1e-6), caption).captions
    places = re.findall(r"(?:CNN|VGG16): ([^,]*) of the image", text)
    assert len(places) == 2 and len(set(places)) == 1
    mask = np.ones(entry.scan.shape, bool)
    outline = SimpleNamespace(is_empty=False, mask=mask)
    outlined = replace(entry, segmentation=SimpleNamespace(outline=outline, grade="ok"))
    (text,) = build_view(outlined, maps(entry, threshold=1e-6), caption).captions
    assert text.count("at the outlined lesion") == 2 and "of the image" not in text


def test_spacing_and_sides_come_from_the_scan(entry) -> None:
    assert (
        build_view(entry, maps(entry), caption).spacing,
        build_view(entry, maps(entry), caption).sides,
    ) == (None, ())
    scan = replace(entry.scan, spacing=(0.5, 0.5), orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    view = build_view(replace(entry, scan=scan), maps(entry), caption)
    assert view.spacing == 0.5 and view.sides == ("R", "L", "A", "P")
    assert view.panes[0].alt == "The scan a.png (left R, right L, top A, bottom P)"
