"""Cards: where networks lie, what a card must hold, and what is said where a file is missing (see test_readers)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from utils import paths
from utils.commands import train
from utils.commands.main import build_parser
from utils.networks.cards import (
    OUTLINES,
    Card,
    NetworkUnavailable,
    check_weights,
    evidence_scale,
    load_card,
    reading_networks,
    scaled_methods,
    train_command,
)
from utils.paths import REPOSITORY, models_folder

FACTS = {
    "name": "cnn",
    "task": "four-class",
    "classes": ["glioma", "meningioma", "no_tumor", "pituitary"],
    "input_size": 224,
    "evidence_layer": "evidence",
    "temperature": 1.5,
    "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights file that is none, with a card that fits it."""
    file = tmp_path / "cnn.keras"
    file.write_bytes(b"weights")
    Card(file.with_suffix(".json"), dict(FACTS)).save()
    return file


def test_models_folder_is_the_repository_s_own_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BRAIN_MRI_MODELS", raising=False)
    assert models_folder() == REPOSITORY / "models"
    monkeypatch.setenv("BRAIN_MRI_MODELS", "")
    assert models_folder() == REPOSITORY / "models"
    monkeypatch.setenv("BRAIN_MRI_MODELS", "/elsewhere")
    assert models_folder() == Path("/elsewhere")


def test_card_comes_back_as_it_was_saved(weights: Path) -> None:
    card = load_card(weights)
    assert card.facts == FACTS
    assert (card.name, card.title, card.weights) == ("cnn", "CNN", weights)
    assert card.version == FACTS["weights_sha256"]
    check_weights(card)
    assert sorted(file.name for file in weights.parent.iterdir()) == ["cnn.json", "cnn.keras"]


def test_a_card_that_cannot_be_written_leaves_the_old_one(weights: Path) -> None:
    with pytest.raises(TypeError):
        Card(weights.with_suffix(".json"), FACTS | {"seed": object()}).save()
    assert load_card(weights).facts == FACTS


def test_card_without_readable_text_is_damaged(weights: Path) -> None:
    weights.with_suffix(".json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkUnavailable, match=r"cnn\.json is damaged"):
        load_card(weights)


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_card_that_lacks_a_fact_is_damaged(weights: Path, fact: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != fact}
    weights.with_suffix(".json").write_text(json.dumps(facts))
    with pytest.raises(NetworkUnavailable, match="damaged"):
        load_card(weights)


@pytest.mark.parametrize("fact", ["threshold", "peak"])
def test_card_of_a_network_that_draws_outlines_needs_other_facts(weights: Path, fact: str) -> None:
    drawn = {name: value for name, value in FACTS.items() if name not in ("evidence_layer", "temperature")}
    drawn |= {"task": OUTLINES, "threshold": 0.5, "peak": 0.9}
    Card(weights.with_suffix(".json"), drawn).save()
    assert load_card(weights).facts == drawn
    del drawn[fact]
    Card(weights.with_suffix(".json"), drawn).save()
    with pytest.raises(NetworkUnavailable, match="damaged"):
        load_card(weights)


def test_missing_weights_are_told_with_both_remedies(weights: Path) -> None:
    weights.unlink()
    with pytest.raises(NetworkUnavailable) as caught:
        check_weights(load_card(weights))
    assert f"git checkout -- {weights}" in str(caught.value)
    assert "python model.py train --model cnn --protocol patient-disjoint --data DIR" in str(caught.value)


def test_paths_in_the_repository_are_shown_as_a_person_types_them(monkeypatch, weights: Path) -> None:
    monkeypatch.setattr(paths, "REPOSITORY", weights.parent)
    weights.unlink()
    with pytest.raises(NetworkUnavailable, match=r"The network file cnn\.keras is missing"):
        check_weights(load_card(weights))


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("models/vgg16.keras", "python model.py train --model vgg16 --protocol patient-disjoint --data DIR"),
        ("models/published/cnn.keras", "python model.py train --model cnn --protocol published --data DIR"),
        ("models/folder/cnn.keras", "python model.py train --model cnn --protocol folder --data DIR"),
    ],
)
def test_train_command_makes_the_file(file: str, command: str) -> None:
    assert train_command(Path(file)) == command


def test_train_command_is_one_that_the_command_line_takes() -> None:
    for file in ("models/vgg16.keras", "models/published/cnn.keras"):
        typed = train_command(Path(file)).split()[2:]
        assert build_parser().parse_args(typed).run is train.run


def test_shipped_networks_come_first_even_where_they_are_missing(tmp_path: Path) -> None:
    Card(tmp_path / "added.json", FACTS | {"name": "added"}).save()
    (tmp_path / "broken.json").write_text("{")
    assert [file.name for file in reading_networks(tmp_path)] == ["cnn.keras", "vgg16.keras", "added.keras"]


def test_evidence_scale_is_the_mean_of_what_was_measured(tmp_path: Path) -> None:
    assert evidence_scale(models=tmp_path) == 1
    Card(tmp_path / "cnn.json", FACTS | {"evidence_scale": {"gradcam": 0.4}}).save()
    assert evidence_scale(models=tmp_path) == 0.4  # the other card is missing
    Card(tmp_path / "vgg16.json", FACTS | {"evidence_scale": {"gradcam": 0.7}}).save()
    assert evidence_scale(models=tmp_path) == pytest.approx(0.55)
    assert evidence_scale("another", models=tmp_path) == 1
    Card(tmp_path / "vgg16.json", FACTS | {"evidence_scale": {}}).save()  # trained without TensorFlow
    assert evidence_scale(models=tmp_path) == 0.4


def test_a_method_is_scaled_where_every_card_knows_it(tmp_path: Path) -> None:
    assert scaled_methods(tmp_path) == ()
    Card(tmp_path / "cnn.json", FACTS | {"evidence_scale": {"gradcam": 0.4, "layercam": 0.5}}).save()
    assert scaled_methods(tmp_path) == ("gradcam", "layercam")
    Card(tmp_path / "vgg16.json", FACTS | {"evidence_scale": {"gradcam": 0.7}}).save()
    assert scaled_methods(tmp_path) == ("gradcam",)
    Card(tmp_path / "vgg16.json", FACTS).save()  # trained without TensorFlow
    assert scaled_methods(tmp_path) == ()


def test_region_threshold_is_a_fraction_of_the_networks_own_scale(tmp_path: Path) -> None:
    facts = FACTS | {"evidence_scale": {"gradcam": 0.4}, "evidence_threshold": {"gradcam": 0.25}}
    card = Card(tmp_path / "cnn.json", facts)
    assert card.region_threshold("gradcam") == pytest.approx(0.1)
    assert card.region_threshold("layercam") is None
    assert Card(tmp_path / "cnn.json", dict(FACTS)).region_threshold("gradcam") is None  # an older card
