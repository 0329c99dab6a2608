"""The Heatmaps page: maps of networks, methods and classes in a grid, with what is known about how right they are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.steps import again, component_of, opened, viewer_of
from utils.app import heatmap_panels, panes, reference_masks, resources
from utils.records.base import write_record


def choose(page: AppTest, label: str, *values: str) -> AppTest:
    next(group for group in page.button_group if group.label == label).set_value(list(values))
    return again(page)


def titles(page: AppTest) -> list[str]:
    return [pane["title"] for pane in viewer_of(page)["panes"]]


def test_nothing_loaded_offers_the_example(tiny_app: Path) -> None:
    page = opened("heatmaps")
    assert "No scan loaded" in page.info[0].value and not page.get("bidi_component")
    page.button[0].click()
    assert "Synthetic example" in viewer_of(again(page))["name"]


def test_networks_methods_and_classes_make_a_grid(make_entry, every_method: Path) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    assert titles(page) == ["CNN: Grad-CAM, glioma", "VGG16: Grad-CAM, glioma"]
    page = choose(page, "Methods", "gradcam", "layercam")
    page = choose(page, "Saliency map for class", "glioma", "pituitary")
    assert len(titles(page)) == 8 and "VGG16: LayerCAM, pituitary tumour" in titles(page)
    panes = viewer_of(page)["panes"]
    assert len({pane["evidence"] for pane in panes}) == 8
    page = choose(page, "Models", "vgg16")
    assert len(titles(page)) == 4 and all(title.startswith("VGG16") for title in titles(page))
    page = choose(page, "Models")
    assert "at least one" in page.info[0].value and not page.get("bidi_component")


def test_more_maps_than_can_be_studied_are_cut_off_and_it_is_said(make_entry, every_method: Path) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    page = choose(page, "Methods", "gradcam", "layercam")
    page = choose(page, "Saliency map for class", "glioma", "pituitary", "meningioma", "no_tumor")
    assert len(titles(page)) == panes.MOST_PANES and "16 maps selected" in page.info[0].value


def test_score_cam_is_computed_once(make_entry, every_method: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    page = choose(page, "Methods", "scorecam")
    first = [pane["evidence"] for pane in viewer_of(page)["panes"]]
    from utils.reading.reader import Reader

    monkeypatch.setattr(Reader, "explain", None)
    page = choose(page, "Saliency map for class", "glioma", "pituitary")
    assert [pane["evidence"] for pane in viewer_of(page)["panes"]][:2] == first


def test_cards_that_know_one_method_offer_one(make_entry, tiny_app: Path) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    methods = next(group for group in page.button_group if group.label == "Methods")
    assert methods.options == ["Grad-CAM"]


def test_the_value_at_the_pointer_has_the_unit_of_its_method(make_entry, every_method: Path) -> None:
    page = choose(
        opened("heatmaps", make_entry("a.png", ("glioma", "glioma"))),
        "Methods",
        "gradcam",
        "layercam",
        "scorecam",
    )
    full = [pane["full"] for pane in viewer_of(page)["panes"]]
    assert full == [[0.01, "logits"]] * 2 + [None] * 2 + [[0.5, "probability"]] * 2


def test_where_it_is_is_told_in_the_pictures_own_frame(make_entry, every_method: Path) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    words = " ".join(caption.value for caption in page.caption)
    assert "of the image" in words and "% of the head" in words and "overlap of the regions" in words
    page = choose(page, "Saliency map for class", "no_tumor")
    assert "of the image" not in " ".join(caption.value for caption in page.caption)


def test_a_map_says_how_often_its_like_was_right(make_entry, every_method: Path, evidence_record) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    assert all("Not yet measured" in pane["caption"] for pane in viewer_of(page)["panes"])
    resources._explanations.clear()
    version = json.loads((every_method / "cnn.json").read_text())["weights_sha256"]
    record = evidence_record(1.0, weights_sha256=version)
    folder = every_method / "evaluation"
    folder.mkdir()
    only = {"gradcam": record.methods["gradcam"]}
    write_record(
        folder / "cnn--patient-disjoint--explanations.json", record.model_copy(update={"methods": only})
    )
    captions = [pane["caption"] for pane in viewer_of(again(page))["panes"]]
    assert "100 % of 15 held-out scans with glioma" in captions[0] and "Not yet measured" in captions[1]
    resources._explanations.clear()


def test_the_known_mask_is_drawn_where_the_file_is_of_the_data_folder(
    make_entry, every_method: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png_bytes
) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    page = opened("heatmaps", entry)
    assert "mask" not in viewer_of(page)["outlines"]
    mask = np.zeros(entry.scan.shape, np.uint8)
    mask[40:60, 50:80] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    monkeypatch.setattr(reference_masks, "masks", lambda: {entry.sha256: str(tmp_path / "mask.png")})
    (points,) = viewer_of(again(page))["outlines"]["mask"]
    corners = np.asarray(points).reshape(-1, 2) * entry.scan.shape[::-1] - 0.5
    np.testing.assert_allclose(corners.min(axis=0), (50, 40), atol=0.1)
    np.testing.assert_allclose(corners.max(axis=0), (79, 59), atol=0.1)


def test_npy_holds_the_maps_on_the_scans_pixels(make_entry, every_method: Path) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    page = opened("heatmaps", entry)
    assert [button.label for button in page.download_button] == ["Download NPY"]
    maps = [reading.evidence("glioma") for reading in entry.readings]
    np.testing.assert_array_equal(np.load(io.BytesIO(heatmap_panels.as_npy(maps))), maps)
    assert maps[0].shape == entry.scan.shape


def test_another_layer_of_one_network(make_entry, every_method: Path) -> None:
    page = opened("heatmaps", make_entry("a.png", ("glioma", "glioma")))
    assert not page.selectbox, "two networks have no layers in common"
    page = choose(page, "Models", "cnn")
    before = viewer_of(page)["panes"][0]["evidence"]
    page.selectbox[0].set_value("stage1_block2")
    (pane,) = viewer_of(again(page))["panes"]
    assert pane["evidence"] != before and pane["caption"].startswith("At stage1_block2")
    assert "of the image" not in " ".join(caption.value for caption in page.caption)


def test_next_shows_the_next_scan(make_entry, tiny_app: Path) -> None:
    page = opened(
        "heatmaps", make_entry("a.png", ("glioma", "glioma")), make_entry("b.png", ("glioma", "glioma"))
    )
    first = viewer_of(page)["scan"]
    bar = component_of(page, "worklist")
    assert bar["isBar"] and [row["name"] for row in bar["rows"]] == ["a.png", "b.png"]
    page.session_state["selected"] = bar["rows"][1]["key"]  # the bar does this
    page = again(page)
    assert viewer_of(page)["scan"] != first and "b.png" in viewer_of(page)["name"]


def test_example_with_missing_networks_names_the_file_and_the_command(models_copy: Path) -> None:
    (models_copy / "cnn.json").unlink()
    page = opened("heatmaps")
    if not page.error:  # the page may tell it at once, or when a scan is to be read
        page.button[0].click()
        page = again(page)
    assert "cnn.json" in page.error[0].value
    assert "python model.py train --model" in page.error[0].value


def test_no_map_of_what_the_gate_refuses_unless_wished(make_entry, tiny_app: Path) -> None:
    page = opened("heatmaps", make_entry("cxr.png", ("meningioma", "meningioma"), 0.99, grade="refused"))
    assert "does not look like a brain MRI slice" in page.warning[0].value
    assert not page.download_button and not page.button_group
    (pane,) = viewer_of(page)["panes"]
    assert pane["evidence"] is None and "meningioma" not in str(pane)
    next(button for button in page.button if button.label == "Show predictions anyway").click()
    page = again(page)
    assert page.download_button and titles(page)[0] == "CNN: Grad-CAM, meningioma"
