"""Variants of the training recipe: `python -m benchmarks.accuracy.variants --data DIR`. See docs/experiments.md.

Trains the CNN at 128 px for a few epochs, once for each variant, and measures it on fold 1. With the option
`--left-out nickparvar` it is trained without that set and also measured on its fold 1: an external test that uses no
test part.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import keras
import numpy as np
import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR, TUMORS
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.datasets.sources import default_sources
from utils.evaluation.localisation import energy_inside, points_at, uniform_energy_inside
from utils.metrics.calibration import fit_temperature
from utils.metrics.classification import softmax
from utils.metrics.detection import threshold_at
from utils.networks.registry import NETWORKS
from utils.networks.surgery import logits_of, split_at
from utils.scans.preprocessing import foreground
from utils.training import augmentation, batches
from utils.training.batches import load_images, load_images_and_masks
from utils.training.loop import TrainingPlan, train
from utils.training.objectives import predict_logits
from utils.training.recipes import RECIPES, Phase, Recipe

SIZE = 128

Patches = Callable[[], list[AbstractContextManager]]


def _same(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image


def _class_weights(rows: pd.DataFrame) -> np.ndarray:
    """Classes balanced over all sources at once, so that source and sequence stay informative."""
    return _balancing_weights(rows.assign(source="all", sequence=""))


_balancing_weights = batches.balancing_weights

# name -> (change of the recipe, patches)
VARIANTS: dict[str, tuple[Callable[[Recipe], Recipe], Patches]] = {
    "the recipe": (lambda recipe: recipe, lambda: []),
    "no intensity remapping": (
        lambda recipe: recipe,
        lambda: [mock.patch.object(augmentation, "_remap", _same)],
    ),
    "classes balanced, sources and sequences not": (
        lambda recipe: recipe,
        lambda: [mock.patch.object(batches, "balancing_weights", _class_weights)],
    ),
    "localisation 0": (lambda recipe: replace(recipe, localisation_weight=0.0), lambda: []),
    "localisation 0.3": (lambda recipe: replace(recipe, localisation_weight=0.3), lambda: []),
    "localisation 1": (lambda recipe: replace(recipe, localisation_weight=1.0), lambda: []),
    "lesion transplant": (
        lambda recipe: replace(recipe, localisation_weight=1.0, transplant_share=0.35),
        lambda: [],
    ),
    "lesion transplant, remapping in half": (
        lambda recipe: replace(recipe, localisation_weight=1.0, transplant_share=0.35, remapping_share=0.5),
        lambda: [],
    ),
    "no label smoothing": (lambda recipe: replace(recipe, label_smoothing=0.0), lambda: []),
    "no blur, noise, low resolution, JPEG, bias field": (
        lambda recipe: recipe,
        lambda: [
            mock.patch.object(augmentation, name, _same)
            for name in ("_blur", "_noise", "_resolution", "_jpeg", "_bias_field")
        ],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--left-out", choices=default_sources())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--base-weights", type=Path, help="a .keras file that all variants start from")
    parser.add_argument(
        "--teacher", nargs="+", default=[], type=Path, help=".keras files of teachers for all variants"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("runs/variants.jsonl"), help="one JSON line per variant"
    )
    parser.add_argument(
        "--measure",
        nargs="+",
        type=Path,
        help="do not train; print the figures of a .keras file, or of the mean of several",
    )
    args = parser.parse_args()
    samples = split_samples(load_samples(args.data, default_sources()), "patient-disjoint")
    training = samples[samples["part"] != "test"]
    if args.left_out:
        training = training[training["source"] != args.left_out]
    measured = samples[samples["part"] == "validation"]
    if args.measure:
        answers = [softmax(_logits(file, measured)) for file in args.measure]
        print(json.dumps(validation_figures(measured, np.log(np.mean(answers, axis=0)), None)))
        return
    teachers = [keras.models.load_model(file, compile=False) for file in args.teacher]
    for name in args.variants:
        change, patches = VARIANTS[name]
        recipe = change(replace(RECIPES["cnn"], phases=(Phase("low resolution", SIZE, args.epochs, 2e-3),)))
        folder = Path("runs/variants") / f"{name} {args.left_out}"
        with ExitStack() as stack:
            for patch in patches():
                stack.enter_context(patch)
            trained = train(TrainingPlan(recipe, args.seed, args.base_weights), training, folder, teachers)
        shutil.rmtree(folder)
        logits = predict_logits(logits_of(trained.network), load_images(list(measured["path"]), SIZE))
        line = {
            "variant": name,
            "base_weights": args.base_weights and args.base_weights.stem,
            "teachers": [file.stem for file in args.teacher],
            "left_out": args.left_out,
            "epochs": args.epochs,
            "seed": args.seed,
        }
        line |= validation_figures(measured, logits, args.left_out) | pointing_figures(
            trained.network, measured
        )
        args.output.parent.mkdir(parents=True, exist_ok=True)
        with args.output.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        print(json.dumps(line))


def _logits(weights: Path, rows: pd.DataFrame) -> np.ndarray:
    """(N, C) float32: logits of a .keras file for the images of sample rows."""
    network = keras.models.load_model(weights, compile=False)
    return predict_logits(logits_of(network), load_images(list(rows["path"]), network.input_shape[1]))


def validation_figures(rows: pd.DataFrame, logits: np.ndarray, left_out: str | None) -> dict[str, float]:
    """Tumour type and detection by source and sequence; the threshold is from the training sources."""
    known = (rows["target"] != OTHER_TUMOR).to_numpy()
    targets = rows["target"].map({name: index for index, name in enumerate(CLASSES)}).fillna(-1).to_numpy(int)
    inside = (rows["source"] != left_out).to_numpy()
    temperature = fit_temperature(logits[known & inside], targets[known & inside])
    scores = 1 - softmax(logits / temperature)[:, CLASSES.index("no_tumor")]
    tumor = (rows["target"] != "no_tumor").to_numpy()
    threshold = threshold_at(scores[~tumor & inside])
    domains = (rows["source"] + " " + rows["sequence"]).str.strip()
    result = {}
    correct = logits.argmax(axis=1) == targets
    for domain in ("all", *sorted({*domains, *rows["source"]})):
        members = ((domain == "all") | (domains == domain) | (rows["source"] == domain)).to_numpy()
        result[f"{domain}: accuracy"] = float(correct[members & known].mean())
        result[f"{domain}: sensitivity"] = float((scores >= threshold)[members & tumor].mean())
        if (members & ~tumor).any():
            result[f"{domain}: specificity"] = float((scores < threshold)[members & ~tumor].mean())
            result[f"{domain}: auc"] = _auc(scores[members], tumor[members])
    return {key: round(value, 4) for key, value in result.items()}


def pointing_figures(network: keras.Model, rows: pd.DataFrame) -> dict[str, float]:
    """Pointing game and energy of the Grad-CAM map of each tumour's class."""
    rows = rows[(rows["mask"] != "") & rows["target"].isin(TUMORS)]
    images, masks = load_images_and_masks(list(rows["path"]), list(rows["mask"]), SIZE)
    trunk, _ = split_at(network, NETWORKS["cnn"].evidence_layer)
    kernel = network.get_layer("logits").get_weights()[0]
    features = predict_logits(trunk, images)
    hits, inside, uniform = [], [], []
    for feature, image, mask, target in zip(features, images, masks > 127, rows["target"], strict=True):
        evidence = np.maximum(feature @ kernel[:, CLASSES.index(target)], 0)
        evidence = cv2.resize(evidence, (SIZE, SIZE))
        hits.append(points_at(evidence, mask))
        inside.append(energy_inside(evidence, mask))
        uniform.append(uniform_energy_inside(foreground(image / 255), mask))
    measured = np.asarray([hits, inside, uniform], float).mean(axis=1).round(4).tolist()
    return dict(zip(("pointing", "energy", "uniform"), measured, strict=True))


def _auc(scores: np.ndarray, tumor: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(tumor, scores))


if __name__ == "__main__":
    main()
