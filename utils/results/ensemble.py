"""The ensemble: the mean of the networks' probabilities on test scans, and whether the networks agree.

The app's output is indeterminate where they disagree or the mean is below the referral threshold. Each network's own
threshold is higher: two networks that agree are correct more often than either of them at the same probability.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.results.records import Evaluation, MeasuredModel
from utils.results.track_record import evaluation_of


def mean_predictions(models: Iterable[MeasuredModel]) -> pd.DataFrame | None:
    """The ensemble's predictions of the test scans that all models have read; None without their predictions.

    `file`, `source`, `group`, `target`, `label` and the mean probability of each of CLASSES; `agreed`: whether all
    models have that label.
    """
    tables = [model.predictions for model in models]
    needed = ["file", "source", "group", "target", "label", *CLASSES]
    if not tables or any(table is None or not set(needed) <= set(table.columns) for table in tables):
        return None
    keys = ["file", "source"]
    first = tables[0][needed].set_index(keys)  # type: ignore[index]
    others = [table[[*keys, "label", *CLASSES]].set_index(keys) for table in tables[1:]]  # type: ignore[index]
    for other in others:
        first = first[first.index.isin(other.index)]
    others = [other.loc[first.index] for other in others]
    probabilities = np.mean([table[list(CLASSES)].to_numpy(float) for table in (first, *others)], axis=0)
    result = first.reset_index()
    result[list(CLASSES)] = probabilities
    result["agreed"] = np.all(
        [table["label"].to_numpy() == first["label"].to_numpy() for table in others], axis=0
    )
    result["label"] = np.asarray(CLASSES)[probabilities.argmax(axis=1)]
    return result


def measured_ensemble(evaluations: Sequence[Evaluation], versions: Mapping[str, str]) -> MeasuredModel | None:
    """The ensemble of networks (name -> SHA-256 of the weights) on the app's protocol.

    None where one of them was not measured, or there is only one.
    """
    members = [evaluation_of(evaluations, name, version) for name, version in versions.items()]
    measured = [member for member in members if member is not None]
    table = mean_predictions(measured) if len(measured) == len(versions) > 1 else None
    return None if table is None else MeasuredModel("ensemble", measured[0].protocol, table)
