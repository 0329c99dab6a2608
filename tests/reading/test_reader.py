"""A Reader gives calibrated answers and maps in the scan's own pixels, and refuses files that do not fit."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.networks import change_card
from utils.networks.cards import NetworkUnavailable
from utils.networks.shipped import evidence_scale, reading_networks
from utils.paths import file_sha256
from utils.reading.reader import Reader
from utils.scans.scan import Scan


@pytest.fixture
def reader(tiny_models: Path) -> Reader:
    return Reader.load(tiny_models / "cnn.keras")


def off_centre(draw_brain, seed: int = 0) -> Scan:
    pixels = np.zeros((300, 420), np.float32)
    pixels[20:140, 250:360] = draw_brain(120, 110, seed)
    return Scan("off-centre", pixels, "PNG")


def test_reading_is_consistent(reader: Reader, brain) -> None:
    reading = reader.read(Scan("brain", brain, "PNG"))
    assert reading.probabilities.sum() == pytest.approx(1, abs=1e-5)
    assert reading.label == reading.classes[int(reading.logits.argmax())]
    scaled = np.exp(reading.logits / 2.0)  # the card's temperature
    np.testing.assert_allclose(reading.probabilities, scaled / scaled.sum(), rtol=1e-4)
    assert reading.features.dtype == np.float16 and reading.features.shape == (4, 4, 192)
    assert reading.maps.shape == (4, 4, 4)


def test_evidence_lies_on_the_scan_where_the_network_looked(reader: Reader, draw_brain) -> None:
    scan = off_centre(draw_brain)
    reading = reader.read(scan)
    for label in reading.classes:
        evidence = reading.evidence(label)
        assert evidence.shape == scan.shape and evidence.dtype == np.float32 and evidence.min() >= 0
        outside = evidence.copy()
        outside[10:150, 240:370] = 0
        assert outside.max() == 0


def test_batch_gives_what_single_scans_give_in_order(reader: Reader, draw_brain) -> None:
    scans = [off_centre(draw_brain, seed) for seed in range(19)]
    together = reader.read_many(scans)
    for scan, reading in zip(scans, together, strict=True):
        np.testing.assert_allclose(reading.logits, reader.read(scan).logits, rtol=1e-3, atol=1e-4)
    assert reader.read_many([]) == []


def test_strength_has_one_scale_for_all_networks(tiny_models: Path, reader: Reader, brain) -> None:
    scale = evidence_scale(models=tiny_models)
    assert scale == 0.01
    reading = reader.read(Scan("brain", brain, "PNG"))
    np.testing.assert_allclose(
        reading.strength("glioma", scale), reading.evidence("glioma") / (2.0 * 0.01), rtol=1e-5
    )


def test_shown_class_is_a_tumour_even_where_none_is_named(reader: Reader, brain) -> None:
    reading = reader.read(Scan("brain", brain, "PNG"))
    assert reading.shown_class != "no_tumor"
    if reading.label != "no_tumor":
        assert reading.shown_class == reading.label


def test_unsure_below_the_threshold_of_the_card(models_copy: Path, brain) -> None:
    change_card(models_copy / "cnn.keras", referral_threshold=0.999)
    assert Reader.load(models_copy / "cnn.keras").read(Scan("brain", brain, "PNG")).flags == ("unsure",)


def test_altered_weights_are_refused_with_file_and_remedy(models_copy: Path) -> None:
    with (models_copy / "vgg16.keras").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(NetworkUnavailable, match=r"vgg16\.keras.*SHA-256.*model\.py train --model vgg16"):
        Reader.load(models_copy / "vgg16.keras")


def test_code_in_a_network_file_is_not_run(models_copy: Path) -> None:
    file = models_copy / "cnn.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda values: values + 1)]).save(file)
    change_card(file, weights_sha256=file_sha256(file))
    with pytest.raises(NetworkUnavailable, match=r"cnn\.keras cannot be loaded safely"):
        Reader.load(file)


@pytest.mark.parametrize("missing", ["cnn.keras", "cnn.json"])
def test_missing_files_are_named(models_copy: Path, missing: str) -> None:
    (models_copy / missing).unlink()
    with pytest.raises(NetworkUnavailable, match=missing):
        Reader.load(models_copy / "cnn.keras")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "cnn"}'])
def test_damaged_card_is_named(models_copy: Path, text: str) -> None:
    (models_copy / "cnn.json").write_text(text)
    with pytest.raises(NetworkUnavailable, match=r"cnn\.json is damaged"):
        Reader.load(models_copy / "cnn.keras")


def test_network_is_added_by_its_files_alone(models_copy: Path) -> None:
    facts = json.loads((models_copy / "cnn.json").read_text())
    (models_copy / "third.json").write_text(json.dumps(facts | {"name": "third"}))
    (models_copy / "outline.json").write_text(json.dumps(facts | {"name": "outline", "task": "segmentation"}))
    assert [path.stem for path in reading_networks(models_copy)] == ["cnn", "vgg16", "third"]
