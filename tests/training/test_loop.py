"""Training learns, keeps its best epoch, resumes where it was interrupted and freezes the layers of its recipe."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.metrics import classification
from utils.networks.architectures import cnn, vgg16
from utils.training import objectives
from utils.training.loop import TrainingPlan, train
from utils.training.recipes import Phase, Recipe


@pytest.fixture
def samples(tmp_path: Path, draw_brain) -> pd.DataFrame:
    """Two classes that a network can separate: with and without a bright square; every image has two rows."""
    rows = []
    for index in range(24):
        pixels = draw_brain(80, 80, seed=index)
        label = ("glioma", "no_tumor")[index % 2]
        if label == "glioma":
            pixels[30:50, 30:50] = 1
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)
        part = "validation" if index % 6 < 2 else "train"
        rows += [{"path": str(path), "mask": "", "target": label, "part": part, "picture": index}] * 2
    return pd.DataFrame(rows).assign(source="drawn", sequence="")


@pytest.fixture
def epoch_weights(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The last layer's weights after every epoch of the next training."""
    weights: list[np.ndarray] = []
    original = objectives.predict_logits

    def remember(model, *arguments):
        weights.append(model.get_layer("logits").get_weights()[0].copy())
        return original(model, *arguments)

    monkeypatch.setattr(objectives, "predict_logits", remember)
    return weights


def silent(line: str) -> None:
    """Report nothing."""


RECIPE = Recipe("cnn", phases=(Phase("small", 32, 2, 1e-3), Phase("large", 48, 3, 1e-3)), batch_size=8)


def test_cnn_learns_and_reports_every_epoch(samples: pd.DataFrame, tmp_path: Path) -> None:
    recipe = Recipe("cnn", phases=(Phase("only", 32, 12, 2e-3),), batch_size=8)
    trained = train(TrainingPlan(recipe), samples, tmp_path / "run", report=silent)
    losses = [epoch["loss"] for epoch in trained.history]
    assert len(losses) == 12 and min(losses[-3:]) < 0.8 * losses[0]
    assert set(trained.history[0]) == {"phase", "epoch", "loss", "validation_loss", "validation_accuracy"}


def test_interrupted_run_is_resumed_after_its_last_complete_epoch(
    samples, tmp_path, monkeypatch, quick_cnn
) -> None:
    whole = train(TrainingPlan(RECIPE), samples, tmp_path / "whole", report=silent)
    calls = 0
    measured = classification.set_cross_entropy

    def stop_in_fourth(*arguments):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return measured(*arguments)

    monkeypatch.setattr(classification, "set_cross_entropy", stop_in_fourth)
    with pytest.raises(KeyboardInterrupt):
        train(TrainingPlan(RECIPE), samples, tmp_path / "cut", report=silent)
    resumed = train(TrainingPlan(RECIPE), samples, tmp_path / "cut", report=silent)
    assert [epoch["epoch"] for epoch in resumed.history] == [1, 2, 3, 4, 5]
    assert [epoch["phase"] for epoch in resumed.history] == ["small", "small", "large", "large", "large"]
    assert resumed.history[:3] == whole.history[:3]
    assert resumed.network.input_shape == (None, 48, 48, 1)


def test_best_epoch_is_kept_not_the_last(samples, tmp_path, monkeypatch, epoch_weights, quick_cnn) -> None:
    losses = iter([3.0, 1.0, 2.0])
    monkeypatch.setattr(classification, "set_cross_entropy", lambda *arguments: next(losses))
    recipe = Recipe("cnn", phases=(Phase("only", 32, 3, 1e-3),), batch_size=8)
    trained = train(TrainingPlan(recipe), samples, tmp_path / "run", report=silent)
    np.testing.assert_array_equal(trained.network.get_layer("logits").get_weights()[0], epoch_weights[1])


def test_earlier_phases_run_to_their_end_and_pass_on_their_last_weights(
    samples, tmp_path, monkeypatch, epoch_weights, quick_cnn
) -> None:
    losses = iter([1.0, 2.0, 2.0, 2.0, 1.0])
    monkeypatch.setattr(classification, "set_cross_entropy", lambda *arguments: next(losses))
    unchanging = Phase("last", 32, 1, 0.0)
    recipe = Recipe("cnn", phases=(Phase("first", 32, 4, 1e-3), unchanging), batch_size=8, patience=1)
    trained = train(TrainingPlan(recipe), samples, tmp_path / "run", report=silent)
    assert len(trained.history) == 5
    np.testing.assert_array_equal(epoch_weights[4], epoch_weights[3])
    assert (epoch_weights[3] != epoch_weights[0]).any()


def test_patience_ends_the_last_phase(samples, tmp_path, monkeypatch, quick_cnn) -> None:
    losses = iter([1.0, 2.0, 2.0, 2.0, 2.0])
    monkeypatch.setattr(classification, "set_cross_entropy", lambda *arguments: next(losses))
    recipe = Recipe("cnn", phases=(Phase("only", 32, 30, 1e-3),), batch_size=8, patience=2)
    assert len(train(TrainingPlan(recipe), samples, tmp_path / "run", report=silent).history) == 4


def test_vgg16_freezes_layers_and_reports_the_loaded_ones(samples, tmp_path) -> None:
    base, rng = vgg16(32), np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for layer in base.layers[: [layer.name for layer in base.layers].index("block3_pool")]:
        if layer.trainable_weights:
            kernel, bias = layer.get_weights()
            kernel = (rng.normal(size=kernel.shape) * np.sqrt(2 / np.prod(kernel.shape[:3]))).astype(
                np.float32
            )
            arrays |= {f"{layer.name}/kernel": kernel, f"{layer.name}/bias": bias}
    np.savez(tmp_path / "base.npz", **arrays)
    recipe = Recipe(
        "vgg16",
        phases=(Phase("fresh", 32, 1, 1e-4), Phase("fine", 48, 1, 1e-4)),
        batch_size=8,
        frozen_until="block3_pool",
    )
    lines: list[str] = []
    plan = TrainingPlan(recipe, base_weights=tmp_path / "base.npz")
    trained = train(plan, samples, tmp_path / "run", report=lines.append)
    assert any("block3_conv3" in line and "initialised at random: block4_conv1" in line for line in lines)
    assert trained.loaded_layers[-1] == "block3_conv3" and trained.fresh_layers[0] == "block4_conv1"
    for name in ("block1_conv1", "block2_conv2", "block3_conv3"):
        np.testing.assert_array_equal(
            trained.network.get_layer(name).get_weights()[0], arrays[f"{name}/kernel"]
        )
    assert not [layer.name for layer in trained.network.layers if "norm" in layer.name], "folded away"


def test_averaged_weights_are_the_mean_of_initial_and_trained_weights(samples, tmp_path, quick_cnn) -> None:
    def trained(run: str, **options) -> keras.Model:
        recipe = Recipe("cnn", phases=(Phase("only", 32, 2, 1e-3),), batch_size=8, **options)
        start = tmp_path / "start.keras" if run != "start" else None
        plan = TrainingPlan(recipe, base_weights=start)
        return train(plan, samples, tmp_path / run, report=silent).network

    start = trained("start")
    start.save(tmp_path / "start.keras")
    plain, averaged = trained("plain"), trained("averaged", is_averaged=True)
    for before, after, mean in zip(*(net.get_weights() for net in (start, plain, averaged)), strict=True):
        np.testing.assert_allclose(mean, (before + after) / 2, rtol=1e-5, atol=1e-6)


def test_a_network_learns_from_masks_and_teachers(samples, tmp_path) -> None:
    mask = np.zeros((80, 80), np.uint8)
    mask[30:50, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    samples.loc[samples["target"] == "glioma", "mask"] = str(tmp_path / "mask.png")
    teachers = [vgg16(32), cnn(48)]
    recipe = Recipe(
        "cnn", phases=(Phase("only", 64, 8, 2e-3, augmented=False),), batch_size=8, localisation_weight=1.0
    )
    trained = train(TrainingPlan(recipe), samples, tmp_path / "run", teachers, report=silent)
    losses = [epoch["loss"] for epoch in trained.history]
    assert min(losses[-3:]) < 0.8 * losses[0]


SEGMENTATION = Recipe(
    "unet",
    phases=(Phase("small", 32, 2, 3e-3, augmented=False), Phase("large", 64, 34, 3e-3, augmented=False)),
    batch_size=8,
)


@pytest.fixture
def outlined(samples: pd.DataFrame, tmp_path: Path) -> pd.DataFrame:
    """The same images, with masks of the gliomas' bright squares."""
    mask = np.zeros((80, 80), np.uint8)
    mask[30:50, 30:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return samples.assign(mask=np.where(samples["target"] == "glioma", str(tmp_path / "mask.png"), ""))


def test_unet_learns_masks(outlined, tmp_path) -> None:
    trained = train(TrainingPlan(SEGMENTATION, classes=("tumor",)), outlined, tmp_path / "run", report=silent)
    figures = {"loss", "validation_loss", "validation_dice", "validation_false_outlines"}
    assert set(trained.history[0]) == {"phase", "epoch"} | figures
    assert max(epoch["validation_dice"] for epoch in trained.history) > 0.5
    assert trained.network.name == "unet" and trained.network.output_shape == (None, 64, 64, 1)


def test_epochs_are_distributed_over_the_phases_or_set_for_each() -> None:
    assert [phase.epochs for phase in RECIPE.changed([10]).phases] == [4, 6]
    assert [phase.epochs for phase in RECIPE.changed([7, 1]).phases] == [7, 1]
    assert RECIPE.changed(batch_size=64) == replace(RECIPE, batch_size=64)
    with pytest.raises(ValueError, match="one number, or 2"):
        RECIPE.changed([1, 2, 3])


def test_unet_learns_from_boxes_with_balanced_sampling(outlined, tmp_path) -> None:
    box = np.zeros((80, 80), np.uint8)
    box[26:54, 26:54] = 255
    Image.fromarray(box).save(tmp_path / "box.png")
    is_boxed = (outlined["part"] == "train") & (outlined["mask"] != "") & (outlined["picture"] % 4 == 0)
    rows = outlined.assign(box=np.where(is_boxed, str(tmp_path / "box.png"), ""))
    rows.loc[is_boxed, "mask"] = ""
    rows = rows.assign(is_skull_stripped=rows["picture"] % 3 == 0, plane="", group=rows["picture"])
    recipe = replace(
        SEGMENTATION, phases=(Phase("only", 32, 2, 1e-3),), is_balanced=True, stripping_share=0.5,
        transplant_share=0.3, has_boxes=True, average_decay=0.9,
    )  # fmt: skip
    trained = train(TrainingPlan(recipe, classes=("tumor",)), rows, tmp_path / "run", report=silent)
    assert len(trained.history) == 2 and all(np.isfinite(epoch["loss"]) for epoch in trained.history)
    assert (tmp_path / "run" / "average.npz").is_file()
