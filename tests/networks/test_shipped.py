"""The shipped networks: which there are, the common scale of their maps and the methods that have one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.networks import CARD, change_card, write_card
from utils.networks.shipped import evidence_scale, load_ensemble, reading_networks, scaled_methods


def test_shipped_networks_come_first_even_where_they_are_missing(tmp_path: Path) -> None:
    write_card(tmp_path / "added.keras", CARD | {"name": "added"})
    (tmp_path / "broken.json").write_text("{")
    assert [file.name for file in reading_networks(tmp_path)] == ["cnn.keras", "vgg16.keras", "added.keras"]


def test_evidence_scale_is_the_mean_of_what_was_measured(tmp_path: Path) -> None:
    assert evidence_scale(models=tmp_path) == 1
    write_card(tmp_path / "cnn.keras", CARD | {"evidence_scale": {"gradcam": 0.4}})
    assert evidence_scale(models=tmp_path) == 0.4  # the other card is missing
    write_card(tmp_path / "vgg16.keras", CARD | {"evidence_scale": {"gradcam": 0.7}})
    assert evidence_scale(models=tmp_path) == pytest.approx(0.55)
    assert evidence_scale("another", models=tmp_path) == 1
    write_card(tmp_path / "vgg16.keras", CARD | {"evidence_scale": {}})  # trained without TensorFlow
    assert evidence_scale(models=tmp_path) == 0.4


def test_a_method_is_scaled_where_every_card_knows_it(tmp_path: Path) -> None:
    assert scaled_methods(tmp_path) == ()
    write_card(tmp_path / "cnn.keras", CARD | {"evidence_scale": {"gradcam": 0.4, "layercam": 0.5}})
    assert scaled_methods(tmp_path) == ("gradcam", "layercam")
    write_card(tmp_path / "vgg16.keras", CARD | {"evidence_scale": {"gradcam": 0.7}})
    assert scaled_methods(tmp_path) == ("gradcam",)
    write_card(tmp_path / "vgg16.keras", CARD)  # trained without TensorFlow
    assert scaled_methods(tmp_path) == ()


def test_an_ensemble_with_the_segmentation_network_counts_for_its_weights(fitted_models: Path) -> None:
    ensemble = load_ensemble(fitted_models)
    assert ensemble is not None and ensemble.detection is not None
    change_card(fitted_models / "unet.keras", weights_sha256="others")
    assert load_ensemble(fitted_models) is None
    (fitted_models / "unet.json").unlink()
    assert load_ensemble(fitted_models) is None
