"""The recognition of sequence and plane is fitted on training patients, its thresholds on validation patients."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from utils.classes import PLANES, SEQUENCES
from utils.datasets.sequences import known_samples
from utils.metrics.calibration import fit_temperature, referral_threshold
from utils.metrics.softmax import softmax
from utils.networks.card_facts import RecognitionFacts, SequenceFacts
from utils.networks.cards import Card, add_statistics, save_card
from utils.networks.registry import NETWORKS
from utils.networks.runtime.backend import Backend, open_network
from utils.reading.sequences import (
    KEYS,
    Discriminant,
    describe_quarters,
    plane_description,
    sequence_description,
    standardised,
)
from utils.scans.preprocessing import as_input, preprocess
from utils.scans.upload import read_scan_file

NAMES = {"sequence": SEQUENCES, "plane": PLANES}
ACCURACY = {"sequence": 0.98, "plane": 0.998}  # of the validation images whose answer counts
SHRINKAGE = {"sequence": 0.001, "plane": 0.01}  # of the covariance towards the identity; chosen on validation


def calibrate_sequences(card: Card, samples: pd.DataFrame) -> Card:
    """Fit both classifiers on the training part and their thresholds on the validation part of a sample table.

    The card and its statistics are written. It stays as it is where a part lacks a sequence or a plane.
    """
    rows = known_samples(samples[samples["part"].isin(["train", "validation"])])
    parts = [rows[rows["part"] == part] for part in ("train", "validation")]
    if any(not set(names) <= set(part[kind]) for part in parts for kind, names in NAMES.items()):
        return card
    layers = NETWORKS[card.name].sequence_layers
    quarters = describe_images(open_network(card, layers), list(rows["path"]), card.input_size)
    arrays: dict[str, np.ndarray] = {}
    facts = {}
    for kind in NAMES:
        discriminant, facts[kind] = _fit_and_calibrate(rows, quarters, kind)
        arrays |= {f"{kind}_{key}": getattr(discriminant, key) for key in KEYS}
    changed = card.model_copy(
        update={"sequences": SequenceFacts(layers=layers, **facts, statistics_sha256="")}
    )
    changed = add_statistics(changed, **arrays)
    save_card(changed)
    return changed


def describe_images(backend: Backend, paths: Sequence[str], size: int) -> np.ndarray:
    """(N, QUARTERS, D) float32 of image files. backend: opened for the layers of the description."""
    inputs = (preprocess(read_scan_file(path).pixels, size)[0] for path in paths)
    return np.concatenate([describe_quarters(backend.run(as_input(image[None]))) for image in inputs])


def descriptions_of(quarters: np.ndarray, kind: str) -> np.ndarray:
    """What the classifier of a kind ("sequence" or "plane") sees."""
    return sequence_description(quarters) if kind == "sequence" else plane_description(quarters)


def fit_kind(rows: pd.DataFrame, quarters: np.ndarray, kind: str) -> Discriminant:
    """The classifier of a kind from rows (`source` and the kind) that know it, with their descriptions."""
    targets = rows[kind].map(NAMES[kind].index).to_numpy()
    return fit_discriminant(descriptions_of(quarters, kind), targets, _weights(rows, kind), SHRINKAGE[kind])


def fit_discriminant(
    descriptions: np.ndarray, targets: np.ndarray, weights: np.ndarray, shrinkage: float
) -> Discriminant:
    """Linear discriminant analysis of descriptions (N, D) with targets (N,) 0..K-1 and weights (N,), equal priors.

    The common covariance of the classes is shrunk towards a multiple of the identity (Friedman, "Regularized
    discriminant analysis", JASA 1989).
    """
    descriptions = descriptions.astype(np.float32)
    mean = np.average(descriptions, axis=0, weights=weights)
    scale = np.sqrt(np.average((descriptions - mean) ** 2, axis=0, weights=weights)) + 1e-6
    values = standardised(descriptions, mean, scale).astype(np.float32)
    classes = range(int(targets.max()) + 1)
    covariance = np.zeros((values.shape[1],) * 2, np.float32)
    centres = []
    for name in classes:
        own, share = values[targets == name], weights[targets == name] / weights[targets == name].sum()
        centres.append(share @ own)
        scattered = (own - centres[-1]) * np.sqrt(share / len(classes))[:, None].astype(np.float32)
        covariance += (scattered.T @ scattered).astype(np.float32)
    covariance *= 1 - shrinkage
    covariance[np.diag_indices_from(covariance)] += (
        shrinkage * np.trace(covariance) / (1 - shrinkage) / len(covariance)
    )
    directions = np.linalg.solve(covariance, np.stack(centres, axis=1).astype(np.float32))
    intercept = -0.5 * (np.stack(centres, axis=1) * directions).sum(axis=0)
    return Discriminant(*(array.astype(np.float32) for array in (mean, scale, directions, intercept)))


def _fit_and_calibrate(
    rows: pd.DataFrame, quarters: np.ndarray, kind: str
) -> tuple[Discriminant, RecognitionFacts]:
    names = NAMES[kind]
    is_known = rows[kind].isin(names).to_numpy()
    in_training = is_known & (rows["part"] == "train").to_numpy()
    in_validation = is_known & ~in_training
    fitted = fit_kind(rows[in_training], quarters[in_training], kind)
    targets = rows.loc[in_validation, kind].map(names.index).to_numpy()
    logits = fitted.logits(descriptions_of(quarters[in_validation], kind))
    temperature = fit_temperature(logits, targets)
    probabilities = softmax(logits / temperature)
    threshold = math.floor(1e6 * referral_threshold(probabilities, targets, ACCURACY[kind])) / 1e6
    facts = RecognitionFacts(
        threshold=threshold,
        fitted_on=_counts(rows.loc[in_training, kind]),
        validated_on=_counts(rows.loc[in_validation, kind]),
        accuracy=round(float(np.mean(logits.argmax(axis=1) == targets)), 4),
        answered=round(float(np.mean(probabilities.max(axis=1) >= threshold)), 4),
    )
    scaled = Discriminant(
        fitted.mean,
        fitted.scale,
        (fitted.weights / temperature).astype(np.float32),
        (fitted.intercept / temperature).astype(np.float32),
    )
    return scaled, facts


def _weights(rows: pd.DataFrame, kind: str) -> np.ndarray:
    """(N,) float: every class counts the same; in a class, sources by the square root of their number of images."""
    each = 1 / np.sqrt(rows.groupby(["source", kind])[kind].transform("size"))
    return (each / each.groupby(rows[kind]).transform("sum")).to_numpy()


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(name): int(count) for name, count in column.value_counts().items()}
