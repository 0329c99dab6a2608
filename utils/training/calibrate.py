"""Calibration on the validation part: temperature, thresholds, map scales, out-of-distribution detector."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.datasets.masks import with_outlines
from utils.evaluation.outline_figures import compare_all, fit_operating_point, outline_figures, score
from utils.metrics import calibration, classification
from utils.metrics.detection import threshold_at
from utils.networks.card_facts import SEGMENTATION, OutlineValidation, Validation
from utils.networks.cards import Card, load_card, save_card
from utils.reading.novelty import describe
from utils.reading.ood_detector import DescribedScans, fit_detector, save_detector
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter
from utils.scans.preprocessing import preprocess
from utils.scans.upload import read_scan_file
from utils.training.evidence_calibration import calibrate_maps
from utils.training.outlier_calibration import calibrate_outliers
from utils.training.sequence_calibration import calibrate_sequences

NO_TUMOR = CLASSES.index("no_tumor")
DETECTOR_IMAGES = 1500  # training images that the detector is fitted on: more change little and cost minutes


def calibrate(weights: Path, samples: pd.DataFrame, outliers: pd.DataFrame | None = None) -> Card:
    """Fit everything that turns a network's outputs into results, on the validation rows; the card is written.

    samples: all of the protocol; the operating point of a segmentation network uses those with a reference.
    For a segmentation network that is the operating point and, with `outliers` (`datasets.outliers`), the outlier
    classifier and the recognition of sequence and plane; for a classifier temperature, thresholds, the scales of the
    evidence maps (`evidence_calibration`) and, for the four classes, the out-of-distribution detector. Maps need
    TensorFlow (tf-keras-vis): on another backend their scales stay empty, and `model.py calibrate` fits them later.
    """
    validation = samples[samples["part"] == "validation"]
    if load_card(weights).task == SEGMENTATION:
        card = _calibrate_segmentation(weights, with_outlines(validation))
        if outliers is None or outliers.empty:
            return card
        return calibrate_sequences(calibrate_outliers(Segmenter.load(weights), samples, outliers), samples)
    reader = Reader.load(weights)
    rows = validation[validation["target"].isin(reader.classes)]  # one known class
    logits, described = outputs_of(reader, list(rows["path"]))
    card = calibrate_classes(reader, rows, logits)
    if reader.classes != CLASSES:  # subtypes are shown behind the detector of the other networks
        save_card(card)
        return card
    train = samples[samples["part"] == "train"].drop_duplicates("picture")
    train = train.sample(min(DETECTOR_IMAGES, len(train)), random_state=0)
    fitted_on = (outputs_of(reader, list(train["path"]))[1], described)
    return save_detector(fit_detector(*fitted_on), *fitted_on, card)


def calibrate_classes(reader: Reader, rows: pd.DataFrame, logits: np.ndarray) -> Card:
    """The reader's card with temperature, thresholds, map scales and validation figures; logits (N, C) of the rows."""
    targets = rows["target"].map(reader.classes.index).to_numpy()
    temperature = calibration.fit_temperature(logits, targets)
    probabilities = classification.softmax(logits / temperature)
    is_four_class = reader.classes == CLASSES
    with_maps = is_four_class and keras.backend.backend() == "tensorflow"
    scales, thresholds = calibrate_maps(reader, rows, round(temperature, 4)) if with_maps else ({}, {})
    fitted: dict[str, object] = {
        "temperature": round(temperature, 4),
        "referral_threshold": round(calibration.referral_threshold(probabilities, targets), 4),
        "conformal_threshold": round(calibration.conformal_threshold(probabilities, targets), 6),
        "evidence_scale": scales,
        "evidence_threshold": thresholds,
        "validation": Validation(
            n=len(rows),
            accuracy=round(float(np.mean(logits.argmax(axis=1) == targets)), 4),
            loss_before_temperature=round(classification.cross_entropy(logits, targets), 4),
            loss=round(classification.cross_entropy(logits / temperature, targets), 4),
        ),
    }
    if is_four_class:
        healthy = 1 - probabilities[targets == NO_TUMOR][:, NO_TUMOR]
        fitted["tumor_threshold"] = round(threshold_at(healthy), 6) if len(healthy) else None
    return reader.card.model_copy(update=fitted)


def _calibrate_segmentation(weights: Path, rows: pd.DataFrame) -> Card:
    segmenter = Segmenter.load(weights)
    scored = list(score(segmenter, rows))
    point = fit_operating_point(scored)
    table = pd.concat([rows.reset_index(drop=True), compare_all(scored, point)], axis=1)
    figures = OutlineValidation.model_validate(outline_figures(table))
    card = segmenter.card.model_copy(update=dataclasses.asdict(point) | {"validation": figures})
    save_card(card)
    return card


def outputs_of(reader: Reader, paths: Sequence[str]) -> tuple[np.ndarray, DescribedScans]:
    """(N, C) logits, and the scans as the out-of-distribution detector sees them."""
    logits, descriptions, images = [], [], []
    for start in range(0, len(paths), BATCH):
        scans = [read_scan_file(path) for path in paths[start : start + BATCH]]
        for scan, reading in zip(scans, reader.read_many(scans, with_maps=False), strict=True):
            logits.append(reading.logits)
            images.append(preprocess(scan.pixels, reader.size)[0])
            descriptions.append(describe(reading.features, images[-1]))
    return np.stack(logits), DescribedScans(np.stack(descriptions), images)
