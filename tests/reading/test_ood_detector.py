"""The out-of-distribution detector: scans like the training scans pass, others do not; stored beside the card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import facts_of, loosen_detector
from tests.support.other_images import OTHER_IMAGES
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.networks.cards import NetworkUnavailable, check_weights, load_card
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.paths import REPOSITORY
from utils.reading.ood_detector import GRADES, load_detector, worst_grade
from utils.reading.reader import Reader
from utils.reading.segmenter import Segmenter
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file

MODELS = REPOSITORY / "models"


def test_scans_like_the_fitted_ones_pass(detector_models: Path, draw_brain) -> None:
    reader = Reader.load(detector_models / "cnn.keras")
    readings = reader.read_many([Scan("b", draw_brain(seed=seed), "PNG") for seed in range(900, 920)])
    assert sum(reading.grade == "ok" for reading in readings) >= 19
    assert all(reading.novelty and reading.novelty > 0 for reading in readings)


@pytest.mark.parametrize("kind", OTHER_IMAGES)
def test_drawings_of_something_else_are_refused(detector_models: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    scans = [Scan(kind, draw(rng), "drawn by code") for draw in OTHER_IMAGES[kind]]
    for name in ("cnn", "vgg16"):
        for reading in Reader.load(detector_models / f"{name}.keras").read_many(scans, with_maps=False):
            assert reading.grade == "refused" and "refused" in reading.flags
            assert not {"unusual", "turned"} & set(reading.flags)


def test_between_the_thresholds_a_scan_is_unusual(detector_models: Path, brain) -> None:
    loosen_detector(detector_models / "cnn.keras")
    reading = Reader.load(detector_models / "cnn.keras").read(Scan("b", brain, "PNG"))
    assert reading.grade == "unusual" and "unusual" in reading.flags and "refused" not in reading.flags


def test_inverted_scan_is_flagged(detector_models: Path, brain) -> None:
    reader = Reader.load(detector_models / "cnn.keras")
    assert "inverted" in reader.read(Scan("b", 1 - brain, "PNG")).flags
    assert "inverted" not in reader.read(Scan("b", brain, "PNG")).flags


def test_scans_are_judged_alike_alone_and_together(detector_models: Path, draw_brain) -> None:
    reader = Reader.load(detector_models / "cnn.keras")
    scans = [Scan("b", draw_brain(seed=seed), "PNG") for seed in range(5)]
    together = [reading.novelty for reading in reader.read_many(scans, with_maps=False)]
    assert together == pytest.approx([reader.read(scan).novelty for scan in scans], rel=1e-3)


def test_card_without_a_detector_flags_nothing(tiny_models: Path) -> None:
    reader = Reader.load(tiny_models / "cnn.keras")
    noise = np.random.default_rng(0).random((100, 100)).astype(np.float32)
    reading = reader.read(Scan("noise", noise, "PNG"))
    assert (reading.novelty, reading.grade) == (None, "ok")
    assert not {"refused", "unusual", "inverted", "turned"} & set(reading.flags)


def test_saving_keeps_the_other_arrays_and_loading_gives_the_same_detector(
    detector_models: Path, brain
) -> None:
    card = load_card(detector_models / "cnn.keras")
    detector = load_detector(card)
    assert detector is not None
    with np.load(card.statistics, allow_pickle=False) as archive:
        assert archive["picture_hashes"].shape == (1, 32)
    factor = detector.training_scans.factor
    np.testing.assert_array_equal(factor, np.tril(factor))
    facts = facts_of(card.weights)["novelty"]
    assert {"method", "source", "unusual", "refused", "fitted_on", "validation"} <= facts.keys()
    assert card.novelty and card.novelty.validation.unusual_or_refused <= 0.005


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_statistics_that_are_missing_or_altered_are_named(detector_models: Path, damage: str) -> None:
    file = detector_models / "cnn.npz"
    file.unlink() if damage == "missing" else file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(NetworkUnavailable, match=r"cnn\.npz"):
        check_weights(load_card(detector_models / "cnn.keras"))


def test_the_worst_grade_counts() -> None:
    assert worst_grade([]) == "ok" and worst_grade(GRADES) == "refused"
    assert worst_grade(["ok", "unusual"]) == "unusual"


@pytest.mark.data
@pytest.mark.parametrize("name", ["cnn", "vgg16"])
def test_shipped_detector_accepts_validation_scans(name: str, data_root: Path) -> None:
    reader = Reader.load(MODELS / f"{name}.keras")
    if load_detector(reader.card) is None:
        pytest.skip(f"the card of {name} is older than the detector: model.py calibrate --model {name}")
    samples = split_samples(load_samples(data_root, ("nickparvar",)), "patient-disjoint")
    paths = samples.loc[samples["part"] == "validation", "path"].iloc[::25]
    known = reader.read_many([read_scan_file(path) for path in paths], with_maps=False)
    assert sum(reading.grade == "ok" for reading in known) >= len(known) - 1


def test_shipped_networks_together_flag_noise() -> None:
    rng = np.random.default_rng(3)
    noise = [Scan("noise", rng.random((200, 200)).astype(np.float32), "drawn by code") for _ in range(4)]
    readers = [Reader.load(file) for file in reading_networks(MODELS)]
    answers = [reader.read_many(noise, with_maps=False) for reader in readers]
    outlines = Segmenter.load(segmentation_weights(MODELS)).read_many(noise)
    for *readings, outline in zip(*answers, outlines, strict=True):
        assert worst_grade(answer.grade for answer in (*readings, outline)) != "ok"
