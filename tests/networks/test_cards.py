"""Cards: what a card must hold, the log of test evaluations, and the messages where a file is missing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import CARD, facts_of, write_card
from utils import paths
from utils.commands import train
from utils.commands.main import build_parser
from utils.datasets.protocols import PROTOCOLS, protocol_named, protocol_of_recipe
from utils.networks.card_facts import TestEvaluation, TestFigures
from utils.networks.cards import (
    Card,
    NetworkUnavailable,
    check_weights,
    load_card,
    log_test_evaluation,
    save_card,
    save_statistics,
    train_command,
)
from utils.networks.registry import NETWORKS
from utils.paths import REPOSITORY, models_folder
from utils.training.recipes import RECIPES

SHIPPED = [
    file
    for file in sorted((REPOSITORY / "models").rglob("*.json"))
    if file.parent.name != "evaluation" and file.name not in ("ensemble.json", "study.json")
]
FACTS = CARD | {"weights_sha256": hashlib.sha256(b"weights").hexdigest()}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights file that is none, with a card that fits it."""
    file = tmp_path / "cnn.keras"
    file.write_bytes(b"weights")
    write_card(file, FACTS)
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
    save_card(card)
    assert facts_of(weights) == FACTS
    assert (card.name, card.title, card.weights) == ("cnn", "CNN", weights)
    assert card.version == FACTS["weights_sha256"]
    check_weights(card)
    assert sorted(file.name for file in weights.parent.iterdir()) == ["cnn.json", "cnn.keras"]


def test_a_card_that_cannot_be_written_leaves_the_old_one(weights: Path) -> None:
    card = load_card(weights).model_copy(update={"seed": object()})
    with pytest.raises(ValueError, match="serialize"):
        save_card(card)
    assert facts_of(weights) == FACTS


def test_card_without_readable_text_is_damaged(weights: Path) -> None:
    weights.with_suffix(".json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NetworkUnavailable, match=r"cnn\.json is damaged"):
        load_card(weights)


@pytest.mark.parametrize("fact", sorted(FACTS))
def test_card_that_lacks_a_fact_is_damaged(weights: Path, fact: str) -> None:
    facts = {name: value for name, value in FACTS.items() if name != fact}
    weights.with_suffix(".json").write_text(json.dumps(facts))
    with pytest.raises(NetworkUnavailable, match=rf"cnn\.json is damaged \(`{fact}` is missing\)"):
        load_card(weights)


@pytest.mark.parametrize("fact", ["threshold", "peak"])
def test_card_of_a_network_that_draws_outlines_needs_other_facts(weights: Path, fact: str) -> None:
    drawn = {name: value for name, value in FACTS.items() if name not in ("evidence_layer", "temperature")}
    drawn |= {"task": "segmentation", "threshold": 0.5, "peak": 0.9}
    write_card(weights, drawn)
    assert load_card(weights).task == "segmentation"
    del drawn[fact]
    write_card(weights, drawn)
    with pytest.raises(NetworkUnavailable, match="damaged"):
        load_card(weights)


def test_missing_weights_are_told_with_both_remedies(weights: Path) -> None:
    weights.unlink()
    with pytest.raises(NetworkUnavailable) as caught:
        check_weights(load_card(weights))
    assert f"git checkout -- {weights}" in str(caught.value)
    assert "train the network again (docs/reproduce.md)" in str(caught.value)


def test_paths_in_the_repository_are_shown_as_a_person_types_them(monkeypatch, weights: Path) -> None:
    monkeypatch.setattr(paths, "REPOSITORY", weights.parent)
    weights.unlink()
    with pytest.raises(NetworkUnavailable, match=r"The network file cnn\.keras is missing"):
        check_weights(load_card(weights))


@pytest.mark.parametrize("name", ["cnn", "vgg16"])
def test_advice_is_the_card_s_own_command(tmp_path: Path, name: str) -> None:
    """A missing network of another protocol must not be answered with the command that replaces the shipped one."""
    file = tmp_path / "published-random" / f"{name}.keras"
    file.parent.mkdir()
    command = f"python model.py train --recipe {name}-256 --data DIR"
    write_card(file, FACTS | {"name": name, "protocol": "published-random", "command": command})
    assert train_command(load_card(file)) == command
    with pytest.raises(NetworkUnavailable) as caught:
        check_weights(load_card(file))
    assert f"`{command}`" in str(caught.value) and "patient-disjoint" not in str(caught.value)


def test_without_a_command_none_is_made_up(tmp_path: Path) -> None:
    file = tmp_path / "published-random" / "vgg16.keras"
    file.parent.mkdir()
    with pytest.raises(NetworkUnavailable) as missing:
        load_card(file)
    write_card(file, FACTS)
    with pytest.raises(NetworkUnavailable) as without_command:
        check_weights(load_card(file))
    for message in map(str, (missing.value, without_command.value)):
        assert "model.py" not in message and "docs/reproduce.md" in message


def test_a_missing_card_in_the_models_folder_is_answered_with_the_command_that_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(tmp_path))
    with pytest.raises(NetworkUnavailable, match=r"python model\.py train --model vgg16 --data DIR"):
        load_card(tmp_path / "vgg16.keras")
    for file in ("mobilenetv2.keras", "own.keras", "experiments/published/vgg16.keras"):
        with pytest.raises(NetworkUnavailable, match=r"\(docs/reproduce\.md\)"):
            load_card(tmp_path / file)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_shipped_command_makes_the_network_that_it_stands_with(file: Path) -> None:
    card = load_card(file.with_suffix(".keras"))
    args = build_parser().parse_args(train_command(card).split()[2:])
    assert args.run is train.run
    name = args.recipe or args.model
    own_protocol = protocol_of_recipe(name)
    protocol = own_protocol or protocol_named(args.protocol, args.left_out)
    assert RECIPES[name].network == card.name and not (
        NETWORKS[card.name].is_teacher and own_protocol is None
    )
    folder = protocol.networks_folder(REPOSITORY / "models")
    stands_with_it = folder == file.parent
    # a network can stand with families that it never saw, although its own protocol left out nothing
    assert stands_with_it or PROTOCOLS[file.parent.name].is_unseen_by(protocol, card.sources)


def test_region_threshold_is_a_fraction_of_the_networks_own_scale() -> None:
    card = Card.model_validate(
        FACTS | {"evidence_scale": {"gradcam": 0.4}, "evidence_threshold": {"gradcam": 0.25}}
    )
    assert card.region_threshold("gradcam") == pytest.approx(0.1)
    assert card.region_threshold("layercam") is None
    assert Card.model_validate(FACTS).region_threshold("gradcam") is None  # an older card


def test_log_of_test_evaluations_grows_in_the_file_whichever_card_is_at_hand(weights: Path) -> None:
    card = load_card(weights)
    for number in (1, 2):
        evaluation = TestEvaluation(protocol="published", date="2026-11-26", commit="abc", n=number)
        logged = log_test_evaluation(card, evaluation, TestFigures(n=number, accuracy=0.5))
    assert [evaluation.n for evaluation in logged.test_evaluations] == [1, 2] and not card.test_evaluations
    assert load_card(weights) == logged
    assert facts_of(weights)["figures"] == {"published": {"n": 2, "accuracy": 0.5}}


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_shipped_cards_are_written_as_they_are_read(file: Path, tmp_path: Path) -> None:
    card = load_card(file.with_suffix(".keras"))
    save_card(card.model_copy(update={"file": tmp_path / file.name}))
    assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_statistics_that_cannot_be_written_leave_the_old_file(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "cnn.npz"
    save_statistics(file, picture_hashes=np.zeros((2, 32), np.uint8))
    before = file.read_bytes()

    def fail(*arguments: object, **arrays: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="No space"):
        save_statistics(file, picture_hashes=np.ones((2, 32), np.uint8))
    assert file.read_bytes() == before


def test_a_card_that_changed_is_read_anew(weights: Path) -> None:
    before = load_card(weights)
    assert load_card(weights) is before
    write_card(weights, FACTS | {"temperature": 0.75})
    assert load_card(weights).temperature == 0.75
