"""The network that draws outlines: served on the scan's own pixels, silent on healthy scans, trained and measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.support.networks import change_card, facts_of, write_card
from utils.datasets.masks import read_mask, with_outlines
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.evaluation.outline_figures import OUTLINE_FIGURES, outline_figures
from utils.evidence.outlines import COLOUR, OperatingPoint, outline
from utils.networks.architectures import unet
from utils.networks.cards import NetworkUnavailable
from utils.networks.shipped import reading_networks
from utils.networks.weights import save_small
from utils.paths import file_sha256
from utils.reading.reader import Reader
from utils.reading.segmenter import Segmenter
from utils.scans.preprocessing import preprocess
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file
from utils.training import recipes
from utils.training.recipes import Phase, Recipe

PEAK = 0.9  # the vessels of a brain without a tumour stay below it
Run = Callable[..., tuple[int, str, str]]


def save_with_card(network: keras.Model, folder: Path) -> Path:
    weights = folder / "unet.keras"
    save_small(network, weights)
    facts = {
        "name": "unet",
        "task": "segmentation",
        "classes": ["tumor"],
        "input_size": network.input_shape[1],
        "threshold": 0.5,
        "peak": PEAK,
        "protocol": "patient-disjoint",
        "command": "python model.py train --model unet --protocol patient-disjoint --data DIR",
        "weights_sha256": file_sha256(weights),
    }
    write_card(weights, facts)
    return weights


@pytest.fixture
def bright(models_copy: Path) -> Path:
    """The weights of a network that takes whatever is bright and wide for a tumour."""
    scan = keras.Input((96, 96, 1))
    mean = keras.layers.AveragePooling2D(5, strides=1, padding="same")(scan)
    logits = keras.layers.Rescaling(20 / 255, offset=-15, name="logits")(mean)
    network = keras.Model(scan, keras.layers.Activation("sigmoid", name="probabilities")(logits))
    return save_with_card(network, models_copy)


def drawn_scan(draw_brain, seed: int = 0, tumour: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """(300, 420) float32 with a brain in its upper right, white vessels in it, and the mask of the tumour in it."""
    pixels, mask = np.zeros((300, 420), np.float32), np.zeros((300, 420), bool)
    pixels[20:140, 250:360] = 0.6 * draw_brain(120, 110, seed)
    for top in range(50, 110, 12):
        for left in range(275, 335, 12):
            pixels[top : top + 3, left : left + 3] = 1.0
    if tumour:
        mask[50:70, 290:314] = True
        pixels[mask] = 1.0
    return pixels, mask


def test_outline_lies_on_the_tumour_with_its_sizes(bright: Path, draw_brain) -> None:
    pixels, mask = drawn_scan(draw_brain)
    segmented = Segmenter.load(bright).outline(Scan("off-centre", pixels, "PNG", spacing=(1.0, 0.5)))
    assert segmented.mask.shape == pixels.shape
    assert (segmented.mask & mask).sum() / (segmented.mask | mask).sum() > 0.8
    assert segmented.area_mm2 == segmented.area * 0.5
    assert segmented.diameter_mm == pytest.approx(np.hypot(20, 12), rel=0.1)
    assert segmented.probabilities.shape == (96, 96) and segmented.probabilities.dtype == np.float16


def test_silent_without_a_tumour_because_no_spot_reaches_the_peak(bright: Path, draw_brain) -> None:
    scan = Scan("healthy", drawn_scan(draw_brain, tumour=False)[0], "PNG")
    change_card(bright, threshold=0.02)
    assert Segmenter.load(bright).outline(scan).is_empty
    change_card(bright, peak=0.0)
    assert not Segmenter.load(bright).outline(scan).is_empty, "the network itself is not silent"


def test_many_scans_give_what_each_gives_in_order(models_copy: Path, draw_brain) -> None:
    keras.utils.set_random_seed(0)
    segmenter = Segmenter.load(save_with_card(unet(32), models_copy))
    scans = [Scan("drawn", draw_brain(60 + seed, 50, seed), "PNG") for seed in range(18)]
    together = [segmentation.outline for segmentation in segmenter.read_many(scans)]
    assert segmenter.read_many([]) == []
    for scan, segmented in zip(scans, together, strict=True):
        assert segmented.mask.shape == scan.shape
        np.testing.assert_allclose(segmented.probabilities, segmenter.outline(scan).probabilities, atol=2e-3)


def test_a_mirrored_scan_gets_the_mirrored_outline(models_copy: Path) -> None:
    scan = keras.Input((32, 32, 1))
    start = keras.initializers.RandomNormal(stddev=0.01, seed=0)
    logits = keras.layers.Conv2D(1, 5, padding="same", kernel_initializer=start, name="logits")(scan)
    network = keras.Model(scan, keras.layers.Activation("sigmoid", name="probabilities")(logits))
    segmenter = Segmenter.load(save_with_card(network, models_copy))
    pixels = np.random.default_rng(0).uniform(0.5, 1, (64, 64)).astype(np.float32)
    direct, of_mirrored = (
        segmenter.outline(Scan("drawn", view, "PNG")).probabilities
        for view in (pixels, pixels[:, ::-1].copy())
    )
    np.testing.assert_allclose(of_mirrored, direct[:, ::-1], atol=2e-3)
    assert not np.allclose(direct, direct[:, ::-1], atol=2e-3), "the scan itself is not the same both ways"


def test_neither_kind_of_network_is_taken_for_the_other(bright: Path, models_copy: Path) -> None:
    with pytest.raises(NetworkUnavailable, match="task four-class; give one for segmentation"):
        Segmenter.load(models_copy / "cnn.keras")
    with pytest.raises(NetworkUnavailable, match="task segmentation; give one for four-class"):
        Reader.load(bright)
    assert [weights.stem for weights in reading_networks(models_copy)] == ["cnn", "vgg16"]


def test_altered_weights_are_refused(bright: Path) -> None:
    with bright.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(NetworkUnavailable, match=r"unet\.keras.*SHA-256.*model\.py train --model unet"):
        Segmenter.load(bright)


# the command line


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(255 * pixels).astype(np.uint8)).save(path)


def test_segment_writes_mask_and_outline_on_the_scans_own_pixels(
    run: Run, bright, tmp_path, draw_brain
) -> None:
    folder, output = tmp_path / "scans", tmp_path / "out"
    pixels, mask = drawn_scan(draw_brain)
    save(pixels, folder / "a.png")
    save(drawn_scan(draw_brain, tumour=False)[0], folder / "below" / "c.png")
    (folder / "b.png").write_bytes(b"no picture")
    code, printed, errors = run("segment", folder, "--output", output)
    lines = [json.loads(line) for line in printed.splitlines()]
    assert code == 0 and [Path(line["file"]).name for line in lines] == ["a.png", "c.png"]
    assert "b.png" in errors and "not an image" in errors and len(errors.strip().splitlines()) == 1
    names = ["a.mask.png", "a.outline.png", "below/c.mask.png", "below/c.outline.png"]
    assert sorted(file.relative_to(output).as_posix() for file in output.rglob("*.png")) == names
    written = np.asarray(Image.open(output / "a.mask.png"))
    assert written.shape == pixels.shape and set(np.unique(written)) == {0, 255}
    assert ((written > 0) & mask).sum() / ((written > 0) | mask).sum() > 0.8
    assert lines[0]["area"] == (written > 0).sum() and lines[0]["area_mm2"] is None
    assert lines[0]["diameter"] == pytest.approx(np.hypot(20, 24), rel=0.1)
    picture = np.asarray(Image.open(output / "a.outline.png"))
    assert picture.shape == (*pixels.shape, 3) and (picture == COLOUR).all(axis=2).any()
    assert lines[1]["area"] == 0 and not np.asarray(Image.open(output / "below" / "c.mask.png")).any()
    silent = np.asarray(Image.open(output / "below" / "c.outline.png"))
    assert (silent == silent[..., :1]).all(), "a healthy scan is shown as it is"


def test_segment_fails_where_nothing_could_be_read(run: Run, bright, tmp_path) -> None:
    (tmp_path / "b.png").write_bytes(b"no picture")
    code, printed, errors = run(
        "segment", tmp_path / "b.png", tmp_path / "nowhere.png", "--output", tmp_path / "out"
    )
    assert code == 1 and printed == "" and len(errors.strip().splitlines()) == 2


def test_segment_without_the_network_says_how_to_get_it(run: Run, tmp_path) -> None:
    code, _, errors = run("segment", tmp_path / "a.png", "--output", tmp_path / "out")
    assert code == 2 and "python model.py train --model unet" in errors and len(errors.splitlines()) == 1


def outlined_set(root: Path, draw_brain) -> Path:
    """A set with a manifest: in each fold four tumours with masks, one without, and three healthy brains."""
    rows: list[dict] = []
    for fold in range(5):
        for index in range(8):
            number = 8 * fold + index
            label = "no_tumor" if index > 4 else ("glioma", "pituitary")[index % 2]
            pixels, mask = drawn_scan(draw_brain, number, tumour=label != "no_tumor")
            save(pixels, root / f"{number}.png")
            row = {
                "file": f"{number}.png",
                "label": label,
                "duplicate_group": number,
                "group": number,
                "fold": fold,
            }
            if index < 4:
                save(mask.astype(float), root / "masks" / f"{number}.png")
                row["mask"] = f"masks/{number}.png"
            rows.append(row)
    pd.DataFrame(rows).to_csv(root / "manifest.csv", index=False)
    return root


def write_outliers(folder: Path) -> None:
    """Eight images of noise, each of its own patient."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(8):
        save(rng.random((64, 64)), folder / f"{number}.png")
    rows = [f"{number}.png,noise,{number}" for number in range(8)]
    (folder / "manifest.csv").write_text("file,label,patient\n" + "\n".join(rows))


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        recipes.RECIPES, "unet", Recipe("unet", phases=(Phase("only", 32, 2, 3e-3),), batch_size=8)
    )


@pytest.fixture
def first_layer(tmp_path: Path) -> Path:
    """What stands in for ImageNet weights, which would be downloaded."""
    kernel: dict[str, Any] = {"Conv1/kernel": np.random.default_rng(0).normal(0, 0.2, (3, 3, 3, 32))}
    np.savez(tmp_path / "first.npz", **kernel)
    return tmp_path / "first.npz"


def test_train_calibrate_and_evaluate(
    run: Run, small_recipe, models_copy, tmp_path, draw_brain, first_layer
) -> None:
    data = outlined_set(tmp_path / "nickparvar", draw_brain)
    arguments = ("--model", "unet", "--protocol", "patient-disjoint", "--data", data)
    code, printed, errors = run("train", *arguments, "--base-weights", first_layer)
    assert code == 0, errors
    facts = facts_of(models_copy / "unet.keras")
    assert "7 scans" not in printed and "4 scans with a tumour, 3 without" in printed
    assert facts["task"] == "segmentation" and facts["classes"] == ["tumor"] and facts["input_size"] == 32
    command = "python model.py train --model unet --protocol patient-disjoint --data DIR"
    assert facts["command"] == f"{command} --base-weights first.npz"
    assert facts["layers_from_base_weights"] == ["Conv1"]
    counted = pd.DataFrame(facts["training_data"]).groupby("part")["images"].sum()
    assert counted.to_dict() == {"train": 21, "validation": 7}, "a tumour without a mask is no healthy scan"
    assert facts["licence"] and facts["weights_sha256"] and facts["history"][1]["epoch"] == 2
    assert "temperature" not in facts and facts["test_evaluations"] == [] and facts["figures"] == {}
    assert 0 < facts["threshold"] < 1 and facts["validation"]["tumor_scans"] == 4
    assert (models_copy / "unet.keras").stat().st_size < 8_000_000
    assert not Path("runs/patient-disjoint/unet").exists()

    fitted = (facts["threshold"], facts["peak"], facts["validation"])
    change_card(models_copy / "unet.keras", threshold=0.01)
    assert run("calibrate", *arguments)[0] == 0
    facts = facts_of(models_copy / "unet.keras")
    assert (facts["threshold"], facts["peak"], facts["validation"]) == fitted and facts.get(
        "outliers"
    ) is None

    write_outliers(data / "more" / "outliers")
    code, printed, errors = run("calibrate", *arguments)
    assert code == 0 and "outliers: " in printed, errors
    outliers = facts_of(models_copy / "unet.keras")["outliers"]
    assert outliers["fitted_on"] == {"brain MRI": 24, "noise": 4}  # tumours without a mask, too
    assert set(outliers["validation"]) == {"nickparvar", "noise"} and outliers["validation"]["noise"] == 1
    scans = [read_scan_file(path) for path in (data / "0.png", data / "more" / "outliers" / "7.png")]
    grades = [
        segmentation.grade for segmentation in Segmenter.load(models_copy / "unet.keras").read_many(scans)
    ]
    assert grades[0] == "ok" and grades[1] != "ok"

    code, printed, _ = run("evaluate", *arguments, "--json", tmp_path / "copy.json")
    folder = models_copy / "evaluation"
    record = json.loads((folder / "unet--patient-disjoint.json").read_text())
    table = pd.read_csv(folder / "unet--patient-disjoint.csv")
    assert code == 0 and "dice" in printed and json.loads((tmp_path / "copy.json").read_text()) == record
    assert (record["model"], record["n"], record["tumor_scans"], record["healthy_scans"]) == ("unet", 7, 4, 3)
    assert len(table) == 8 and table["tumor_score"].between(0, 1).all()
    table = table[table["tumor_pixels"].notna()]  # a tumour without mask is scored, not compared
    assert set(table["file"]) == {f"{number}.png" for number in (0, 1, 2, 3, 5, 6, 7)}
    assert (table["tumor_pixels"] == np.where(table["target"] == "no_tumor", 0, 480)).all()
    fresh = outline_figures(table)
    assert {name: fresh[name] for name in OUTLINE_FIGURES} == {name: record[name] for name in OUTLINE_FIGURES}
    facts = facts_of(models_copy / "unet.keras")
    assert [(opening["protocol"], opening["n"]) for opening in facts["test_evaluations"]] == [
        ("patient-disjoint", 8)
    ]
    assert facts["figures"]["patient-disjoint"]["dice"] == record["dice"]
    assert len(list(folder.iterdir())) == 2, "no baseline is measured beside it"


def test_what_does_not_fit_is_told_in_a_sentence(run: Run, bright, class_folders: Path) -> None:
    own = ("--model", "unet", "--protocol", "folder", "--data", class_folders)
    code, _, errors = run("train", *own)
    assert code == 2 and "lacks one of them" in errors.splitlines()[-1]
    code, _, errors = run("train", *own, "--teacher", bright)
    assert code == 2 and "from masks only" in errors
    code, _, errors = run("evaluate", *own, "--weights", bright, "--robustness")
    assert code == 2 and "that predict classes" in errors
    code, _, errors = run("predict", class_folders, "--model", "unet")
    assert code == 2 and "There is no network unet" in errors


# the real masks


@pytest.mark.data
def test_masks_of_the_data_go_through_the_geometry_and_back(data_root: Path) -> None:
    samples = load_samples(data_root, ("nickparvar", "feltrin44", "lgg"))
    rows = with_outlines(split_samples(samples, "patient-disjoint"))
    rows = rows[rows["part"] == "validation"]
    assert set(rows.loc[rows["mask"] == "", "source"]) == {"nickparvar", "feltrin44", "lgg"}
    assert set(rows.loc[rows["mask"] != "", "source"]) == {"nickparvar", "lgg"}
    outlined = rows[rows["mask"] != ""]
    for row in outlined.iloc[:: len(outlined) // 25].itertuples():
        scan = read_scan_file(row.path)
        truth = read_mask(row.mask, scan.shape) > 127
        geometry = preprocess(scan.pixels, 224)[1]
        segmented = outline(geometry.to_network(truth), geometry, OperatingPoint(0.5, 0.0)).mask
        assert (segmented & truth).sum() / (segmented | truth).sum() > 0.85, row.file
