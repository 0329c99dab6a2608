"""The Heatmaps page: the evidence of one network on one scan, large, and as a PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from utils import overlays
from utils.cards import evidence_scale
from utils.worklist import Entry

ROOT = Path(__file__).parents[2]
PAGE = str(ROOT / "pages" / "heatmaps.py")


def run(*entries: Entry) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.session_state["worklist"] = {entry.key: entry for entry in entries}
    return again(page)


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def control(page: AppTest, label: str):
    return next(
        widget for widget in (*page.button_group, *page.slider) if widget.label.lower().startswith(label)
    )


def picture_of(page: AppTest) -> str:
    return page.image[0].value[0]


def test_nothing_loaded_offers_the_example(tiny_app: Path) -> None:
    page = run()
    assert "No scan is loaded" in page.info[0].value and not page.image and not page.download_button
    page.button[0].click()
    page = again(page)
    assert "Synthetic example" in page.image[0].captions[0]


def test_every_control_changes_the_picture(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("a.png", ("glioma", "glioma")))
    seen = [picture_of(page)]
    for label, value in (("network", "VGG16"), ("evidence", "pituitary"), ("opacity", 0.3), ("hide", 60)):
        control(page, label).set_value(value)
        seen.append(picture_of(again(page)))
    assert len(set(seen)) == len(seen)


def test_the_caption_tells_who_says_what_and_what_is_shown(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("a.png", ("glioma", "meningioma"), 0.83))
    assert all(words in page.image[0].captions[0] for words in ("a.png", "CNN", "glioma", "83 %"))
    control(page, "network").set_value("VGG16")
    again(page)
    control(page, "evidence").set_value("pituitary")
    caption = again(page).image[0].captions[0]
    assert all(words in caption for words in ("VGG16", "meningioma", "pituitary tumour"))


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_download_is_the_picture_at_the_size_of_the_scan(
    entry_saying, tiny_app, monkeypatch, opacity
) -> None:
    made: list[bytes] = []
    png = overlays.png

    def keep(picture: np.ndarray) -> bytes:
        made.append(png(picture))
        return made[-1]

    monkeypatch.setattr(overlays, "png", keep)
    entry = entry_saying("a.png", ("glioma", "glioma"))
    page = run(entry)
    control(page, "opacity").set_value(opacity)
    page = again(page)
    assert len(page.download_button) == 1
    pictures = [np.asarray(Image.open(io.BytesIO(png))) for png in made]
    pixels = [picture for picture in pictures if picture.shape[:2] == entry.scan.pixels.shape][-1]
    strength = entry.readings[0].strength("glioma", evidence_scale())
    np.testing.assert_array_equal(pixels, overlays.overlay(entry.scan.pixels, strength, opacity))
    assert pixels.shape == (*entry.scan.shape, 3)
    plain = overlays.gray_picture(entry.scan.pixels)[..., None]
    assert (pixels == plain).all() == (opacity == 0)


def test_next_shows_the_next_scan(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("a.png", ("glioma", "glioma")), entry_saying("b.png", ("glioma", "glioma")))
    first = picture_of(page)
    next(button for button in page.button if button.label == "Next").click()
    page = again(page)
    assert picture_of(page) != first and "b.png" in page.image[0].captions[0]


def test_example_with_missing_networks_names_the_file_and_the_command(models_copy: Path) -> None:
    (models_copy / "cnn.json").unlink()
    page = run()
    if not page.error:  # the page may tell it at once, or when a scan is to be read
        page.button[0].click()
        page = again(page)
    assert "cnn.json" in page.error[0].value
    assert "python model.py train --model cnn" in page.error[0].value


def test_no_map_of_what_the_gate_refuses_unless_wished(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("cxr.png", ("meningioma", "meningioma"), 0.99, grade="refused"))
    assert "does not look like a brain MRI slice" in page.warning[0].value
    assert len(page.image) == 1 and not page.download_button and not page.button_group
    next(button for button in page.button if button.label == "Show the answers anyway").click()
    page = again(page)
    assert page.download_button and "meningioma" in page.image[0].captions[0]
