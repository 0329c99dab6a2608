"""The outlier classifier of a segmentation network is fitted and its error rates measured, on validation data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.networks.card_facts import OutlierFacts
from utils.networks.cards import Card, add_statistics, save_card
from utils.networks.registry import NETWORKS
from utils.networks.runtime.backend import Backend, open_network
from utils.reading.outliers import KEYS, describe, fit_outlier_classifier, mislabelled
from utils.reading.reader import BATCH
from utils.reading.segmenter import Segmenter
from utils.scans.preprocessing import as_input
from utils.training.batches import load_images

MOST_IMAGES = {"train": 220, "validation": 120}  # brain scans of a source and sequence


def calibrate_outliers(segmenter: Segmenter, samples: pd.DataFrame, outliers: pd.DataFrame) -> Card:
    """Fit the classifier on brain scans and outliers (`datasets.outliers`) of the training part.

    The thresholds come from brain scans of the validation part, of which every source counts the same. Scans of both
    parts that are `mislabelled` are left out. The card and its statistics are written.
    """
    layers = NETWORKS[segmenter.card.name].outlier_layers
    backend = open_network(segmenter.card, layers)
    brains = pd.concat([_some(samples, part) for part in MOST_IMAGES], ignore_index=True)
    described = [
        _descriptions(backend, load_images(list(rows["path"]), segmenter.size)) for rows in (brains, outliers)
    ]
    is_fitted = outliers["part"].to_numpy() == "train"
    groups = (brains["source"] + brains["group"].astype(str)).to_numpy()
    is_wrong = mislabelled(described[0], groups, described[1][is_fitted])
    wrong = brains[is_wrong]
    brains, described[0] = brains[~is_wrong].reset_index(drop=True), described[0][~is_wrong]
    in_training = brains["part"].to_numpy() == "train"
    validation = brains[~in_training]
    weights = 1 / validation.groupby("source")["source"].transform("size").to_numpy()
    classifier = fit_outlier_classifier(
        described[0][in_training], described[1][is_fitted], described[0][~in_training], weights
    )
    marked = [classifier.scores(descriptions) > classifier.unusual for descriptions in described]
    rates = _rates(validation["source"], marked[0][~in_training])
    rates |= _rates(outliers["label"][~is_fitted], marked[1][~is_fitted])
    card = segmenter.card
    facts = OutlierFacts(
        layers=layers,
        unusual=round(classifier.unusual, 4),
        refused=round(classifier.refused, 4),
        fitted_on={
            "brain MRI": int(in_training.sum()),
            **outliers["label"][is_fitted].value_counts().to_dict(),
        },
        mislabelled=tuple(sorted(wrong["source"] + "/" + wrong["file"])),
        validation=rates,
        statistics_sha256="",
    )
    arrays = {f"outlier_{key}": getattr(classifier, key) for key in KEYS}
    changed = add_statistics(card.model_copy(update={"outliers": facts}), **arrays)
    save_card(changed)
    return changed


def _descriptions(backend: Backend, images: np.ndarray) -> np.ndarray:
    """(N, D) float32: what the classifier sees of network inputs (N, S, S) uint8."""
    starts = range(0, len(images), BATCH)
    return np.concatenate(
        [describe(backend.run(as_input(images[start : start + BATCH]))) for start in starts]
    )


def _some(samples: pd.DataFrame, part: str) -> pd.DataFrame:
    """At most MOST_IMAGES different images of every source and sequence of a part, drawn at random."""
    rows = samples[samples["part"] == part].drop_duplicates("picture").sample(frac=1, random_state=0)
    return rows.groupby(["source", "sequence"]).head(MOST_IMAGES[part])


def _rates(kinds: pd.Series, marked: np.ndarray) -> dict[str, float]:
    return {
        str(kind): round(float(share), 4)
        for kind, share in pd.Series(marked, kinds.to_numpy()).groupby(level=0).mean().items()
    }
