"""The ensemble on test scans: its probabilities from the stored predictions, and whether the networks agree.

The app's output is indeterminate where they disagree or the ensemble is below the referral threshold. Each network's
own threshold is higher: networks that agree are correct more often than either of them at the same probability.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.metrics.ensemble import ensemble_probabilities, score_log_odds, tumor_log_odds
from utils.networks.registry import segmenters
from utils.networks.shipped import DetectionWeights
from utils.results.records import Evaluation, MeasuredModel
from utils.results.track_record import evaluation_of

KEYS = ["file", "source"]
FACTS = [*KEYS, "group", "target"]
LOGITS = [f"logit_{name}" for name in CLASSES]


def ensemble_predictions(
    models: Iterable[MeasuredModel],
    detection: DetectionWeights | None = None,
    tumor_scores: pd.DataFrame | None = None,
) -> pd.DataFrame | None:
    """The ensemble's predictions of the test scans that all models have read; None without their predictions.

    `file`, `source`, `group`, `target`, `label` and the probability of each of CLASSES; `agreed`: whether all models
    have that label. With `detection` the probability of a tumour is the joint one of the models and of `tumor_scores`
    (`file`, `source`, `tumor_score`: of the segmentation network), without it their mean.
    """
    members = list(models)
    tables = [model.predictions for model in members]
    needed = [*FACTS, "label", *CLASSES, *(LOGITS if detection else ())]
    if not tables or any(table is None or not set(needed) <= set(table.columns) for table in tables):
        return None
    first, *others = (table[needed].set_index(KEYS) for table in tables)  # type: ignore[index]
    for other in others:
        first = first[first.index.isin(other.index)]
    if detection is not None and tumor_scores is not None:
        scores = tumor_scores.set_index(KEYS)["tumor_score"]
        first = first[first.index.isin(scores.index)]
    aligned = [first, *(table.loc[first.index] for table in others)]
    probabilities = np.mean([table[list(CLASSES)].to_numpy(float) for table in aligned], axis=0)
    if detection is not None:
        by_network = {
            member.model: tumor_log_odds(table[LOGITS].to_numpy())
            for member, table in zip(members, aligned, strict=True)
        }
        if tumor_scores is not None:
            by_network[segmenters()[0]] = score_log_odds(scores.loc[first.index].to_numpy())
        if not set(detection.weights) <= set(by_network):
            return None
        probabilities = ensemble_probabilities(
            probabilities, by_network, detection.intercept, detection.weights
        )
    result = first.reset_index()[[*FACTS]]
    result[list(CLASSES)] = probabilities
    labels = np.asarray(CLASSES)[probabilities.argmax(axis=1)]
    result["agreed"] = np.all([table["label"].to_numpy() == labels for table in aligned], axis=0)
    result["label"] = labels
    return result


def measured_ensemble(
    evaluations: Sequence[Evaluation],
    versions: Mapping[str, str],
    detection: DetectionWeights | None = None,
    tumor_scores: pd.DataFrame | None = None,
) -> MeasuredModel | None:
    """The ensemble of classifiers (name -> SHA-256 of the weights) on the app's protocol, as `ensemble_predictions`.

    None where one of them was not measured, or there is only one.
    """
    members = [evaluation_of(evaluations, name, version) for name, version in versions.items()]
    measured = [member for member in members if member is not None]
    if len(measured) < len(versions) or len(versions) < 2:
        return None
    table = ensemble_predictions(measured, detection, tumor_scores)
    return None if table is None else MeasuredModel("ensemble", measured[0].protocol, table)
