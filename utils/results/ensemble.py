"""The networks asked together: the mean of their probabilities, and from which on it counts as an answer.

Where they disagree, or the mean is too small, the app gives no answer. Each network's own threshold asks for more than
that: two networks that agree are right more often than either that is as sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.results.records import Evaluation
from utils.results.track_record import evaluation_of


def mean_answers(evaluations: Iterable[Evaluation]) -> pd.DataFrame | None:
    """What networks say together of the test scans that all of them have read; None without their predictions.

    `file`, `source`, `group`, `target`, `label` and the mean probability of each of CLASSES; `agreed`: whether all
    give that label.
    """
    tables = [one.predictions for one in evaluations]
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


def evaluation_together(evaluations: Sequence[Evaluation], versions: Mapping[str, str]) -> Evaluation | None:
    """The patient-disjoint record of networks (name -> SHA-256 of the weights) asked together; None where one of them
    has none, or there is one network alone. Its figures are empty, its predictions those of `mean_answers`.
    """
    found = [evaluation_of(evaluations, name, version) for name, version in versions.items()]
    measured = [one for one in found if one is not None]
    table = mean_answers(measured) if len(measured) == len(versions) > 1 else None
    return None if table is None else Evaluation("ensemble", measured[0].protocol, {}, table)
