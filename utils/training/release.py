"""A trained network becomes a shipped one: small weights, calibration on validation data, and a card."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.datasets.duplicates import hash_files
from utils.datasets.sources import source_licence
from utils.evaluation.outline_figures import compare_all, fit_operating_point, outline_figures, score
from utils.metrics import calibration, classification, ensemble
from utils.metrics.detection import threshold_at
from utils.networks.architectures import EVIDENCE_LAYERS, save_small
from utils.networks.cards import OUTLINERS, OUTLINES, TOGETHER, Card, load_card, reading_networks
from utils.paths import current_commit, file_sha256, models_folder
from utils.reading.novelty import describe
from utils.reading.ood_detector import Described, fit_gate, save_gate
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter
from utils.scans.preprocessing import preprocess
from utils.scans.upload import read_scan_file
from utils.training.evidence_calibration import calibrate_maps
from utils.training.loop import Trained
from utils.training.recipes import Recipe

UNFITTED: dict[str, Any] = {
    "temperature": 1.0,
    "referral_threshold": None,
    "evidence_scale": {},
    "evidence_threshold": {},
}  # until `calibrate`
UNFITTED_OUTLINES = {"threshold": 0.5, "peak": 0.0}
NO_TUMOR = CLASSES.index("no_tumor")
GATE_PICTURES = 1500  # training pictures that the gate is fitted on: more change little and cost minutes


def release(
    trained: Trained,
    samples: pd.DataFrame,
    folder: Path,
    protocol: str,
    seed: int,
    recipe: Recipe,
    command: str,
    base_weights: str | None = None,
    teachers: Sequence[Card] = (),
    classes: Sequence[str] = CLASSES,
) -> Card:
    """Write NAME.keras, NAME.json and NAME.npz (hashes of every picture it saw) into `folder`; calibrated.

    A network of that name in the folder is replaced; the log of its test openings is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = trained.network.name
    weights = folder / f"{name}.keras"
    save_small(trained.network, weights)
    seen = samples[samples["part"] != "test"]
    np.savez_compressed(folder / f"{name}.npz", picture_hashes=hash_files(list(seen["path"]))[0])
    counts = seen.groupby(["part", "source", "target"]).size().reset_index(name="images")
    pictures = seen.groupby(["part", "source", "target"])["picture"].nunique().reset_index(drop=True)
    card = Card(
        weights.with_suffix(".json"),
        {
            "name": name,
            "task": OUTLINES if name in OUTLINERS else "four-class" if tuple(classes) == CLASSES else "finer",
            "classes": list(classes),
            "input_size": trained.network.input_shape[1],
            "parameters": trained.network.count_params(),
            "licence": licence({*seen["source"], *_inherited(base_weights)}, _from_imagenet(base_weights)),
            "protocol": protocol,
            "seed": seed,
            "sources": sorted(seen["source"].unique()),
            "training_data": counts.assign(pictures=pictures).to_dict("records"),
            "command": command,
            "recipe": dataclasses.asdict(recipe),
            "layers_from_base_weights": trained.loaded_layers,
            "teachers": [{"name": one.name, "weights_sha256": one.version} for one in teachers],
            "date": datetime.date.today().isoformat(),
            "commit": current_commit(),
            "versions": {"python": platform.python_version(), "backend": keras.backend.backend()}
            | {package: importlib.metadata.version(package) for package in ("keras", "numpy")},
            "weights_sha256": file_sha256(weights),
            "openings": _earlier_openings(weights.with_suffix(".json")),
            "figures": {},
            "history": trained.history,
        }
        | (UNFITTED_OUTLINES if name in OUTLINERS else UNFITTED | {"evidence_layer": EVIDENCE_LAYERS[name]}),
    )
    card.save()
    return calibrate(weights, samples)


def calibrate(weights: Path, samples: pd.DataFrame) -> Card:
    """Fit what a network's answers are read with on the validation rows.

    For outlines that is the operating point; for classes temperature, referral threshold, the gate and the scales of
    the evidence maps (`evidence_calibration`). These need TensorFlow (tf-keras-vis); on another backend they
    are left empty, and `model.py calibrate` sets them later. What the gate knows of training scans comes from
    GATE_PICTURES of them.
    """
    if load_card(weights).facts["task"] == OUTLINES:
        return _calibrate_outlines(weights, samples[samples["part"] == "validation"])
    reader = Reader.load(weights)
    classes = reader.classes
    rows = samples[(samples["part"] == "validation") & samples["target"].isin(classes)]  # one known class
    targets = rows["target"].map(classes.index).to_numpy()
    facts = dict(reader.card.facts)
    logits, seen = _outputs(reader, list(rows["path"]))
    temperature = calibration.fit_temperature(logits, targets)
    probabilities = classification.softmax(logits / temperature)
    facts["temperature"] = round(temperature, 4)
    facts["referral_threshold"] = round(calibration.referral_threshold(probabilities, targets), 4)
    facts["conformal_threshold"] = round(calibration.conformal_threshold(probabilities, targets), 6)
    if classes == CLASSES:
        healthy = 1 - probabilities[targets == NO_TUMOR][:, NO_TUMOR]
        facts["tumor_threshold"] = round(threshold_at(healthy), 6) if len(healthy) else None
    with_maps = classes == CLASSES and keras.backend.backend() == "tensorflow"
    scales, thresholds = calibrate_maps(reader, rows, facts["temperature"]) if with_maps else ({}, {})
    facts["evidence_scale"], facts["evidence_threshold"] = scales, thresholds
    facts["validation"] = {
        "n": len(rows),
        "accuracy": round(float(np.mean(logits.argmax(axis=1) == targets)), 4),
        "loss_before_temperature": round(classification.cross_entropy(logits, targets), 4),
        "loss": round(classification.cross_entropy(logits / temperature, targets), 4),
    }
    card = Card(reader.card.file, facts)
    if classes != CLASSES:  # finer types are asked for behind the gate of the others
        card.save()
        return card
    known = samples[samples["part"] == "train"].drop_duplicates("picture")
    known = known.sample(min(GATE_PICTURES, len(known)), random_state=0)
    save_gate(*fit_gate(_outputs(reader, list(known["path"]))[1], seen), card)
    return card


def calibrate_together(samples: pd.DataFrame, command: str) -> dict[str, Any]:
    """Fit from which mean probability on the common answer of the app's networks counts (`ensemble`), on the
    validation rows; written to TOGETHER in the models folder and returned.
    """
    readers = [Reader.load(file) for file in reading_networks()]
    rows = samples[(samples["part"] == "validation") & samples["target"].isin(CLASSES)]
    targets = rows["target"].map(CLASSES.index).to_numpy()
    probabilities = []
    for reader in readers:
        logits, _ = _outputs(reader, list(rows["path"]))
        probabilities.append(classification.softmax(logits / reader.card.facts["temperature"]))
    record = {
        "weights_sha256": {reader.card.name: reader.card.version for reader in readers},
        **ensemble.fit(probabilities, targets),
        "command": command,
        "date": datetime.date.today().isoformat(),
        "commit": current_commit(),
    }
    (models_folder() / TOGETHER).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def _calibrate_outlines(weights: Path, rows: pd.DataFrame) -> Card:
    segmenter = Segmenter.load(weights)
    scored = list(score(segmenter, rows))
    point = fit_operating_point(scored)
    table = pd.concat([rows.reset_index(drop=True), compare_all(scored, point)], axis=1)
    card = segmenter.card
    card.facts.update(dataclasses.asdict(point), validation=outline_figures(table))
    card.save()
    return card


def licence(sources: Iterable[str], from_imagenet: bool) -> str:
    """What may be done with a network that was trained on these sources."""
    base = "; starts from ImageNet weights (CC BY 4.0; ImageNet itself: non-commercial research)"
    trained = ", ".join(map(source_licence, sorted(sources))) + (base if from_imagenet else "")
    return f"Research and education only, non-commercial: trained on {trained}. See NOTICE."


def _inherited(base_weights: str | None) -> list[str]:
    """What the network that another one started from had learned from."""
    started_from = str(base_weights)
    return load_card(Path(started_from)).facts["sources"] if started_from.endswith(".keras") else []


def _from_imagenet(base_weights: str | None) -> bool:
    """Whether a network's first weights come from ImageNet, straight or by way of another network of ours."""
    if str(base_weights).endswith(".keras"):
        return "ImageNet" in load_card(Path(str(base_weights))).facts["licence"]
    return bool(base_weights)


def _earlier_openings(card: Path) -> list[dict]:
    """The openings of test parts by the weights that are about to be replaced: a retraining does not undo them."""
    return json.loads(card.read_text(encoding="utf-8"))["openings"] if card.is_file() else []


def _outputs(reader: Reader, paths: Sequence[str]) -> tuple[np.ndarray, Described]:
    """(N, C) logits, and what the gate sees."""
    logits, descriptions, pictures = [], [], []
    for start in range(0, len(paths), BATCH):
        scans = [read_scan_file(path) for path in paths[start : start + BATCH]]
        for scan, reading in zip(scans, reader.read_many(scans, with_maps=False), strict=True):
            logits.append(reading.logits)
            pictures.append(preprocess(scan.pixels, reader.size)[0])
            descriptions.append(describe(reading.features, pictures[-1]))
    return np.stack(logits), Described(np.stack(descriptions), pictures)
