"""The figures of evidence maps, from the table of `utils.evaluation.evidence_measurement`, and their summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from utils.classes import TUMORS
from utils.evaluation.faithfulness import DEPTHS
from utils.evidence.cams import IN_LOGITS, METHOD_TITLES
from utils.metrics.bootstrap import RESAMPLES, group_sums, group_weights, ratio, with_interval
from utils.records.explanations import ExplanationsRecord
from utils.wording import NO_VALUE

LOCALISATION = ("pointing", "energy", "uniform", "iou")
FAITHFULNESS = ("insertion", "deletion")
STRENGTHS = tuple(f"strength_{name}" for name in TUMORS)


def figures_of_evidence(table: pd.DataFrame, scales: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """{method: the fields of MethodFigures, but `region_threshold`} of a table as `measure_evidence` returns it.

    `tumors`, each of `classes` and each of `sequences` ("source, sequence"): pointing game, energy inside the reference
    segmentation, the energy that a map uniform over the head has there, their ratio, and the region's overlap (IoU).
    `faithfulness`: the areas of insertion and deletion. `randomisation`: rank correlation with the map of the network
    whose weights are shuffled that deep. `no_tumor`: the peak of each tumour class's map on scans without tumour;
    `strengths`: the same on scans with a tumour of that class; both divided by the scale, 1 is full colour (calibrated
    where there is no scale). Intervals are 95 % intervals over groups.
    """
    return {
        str(method): _method_figures(str(method), rows, scales.get(str(method)))
        for method, rows in table.groupby("method", sort=False)
    }


def _method_figures(method: str, rows: pd.DataFrame, scale: float | None) -> dict[str, Any]:
    rows = rows.assign(**{name: rows[name] / (1.0 if scale is None else scale) for name in STRENGTHS})
    tumours, healthy = rows[rows["target"] != "no_tumor"], rows[rows["target"] == "no_tumor"]
    by_class = {name: tumours[tumours["target"] == name] for name in TUMORS}
    by_sequence = tumours.fillna({"sequence": ""}).groupby(["source", "sequence"])
    return {
        "title": METHOD_TITLES[method],
        "unit": "logit" if method in IN_LOGITS else None,
        "scale": scale,
        "tumors": _localisation(tumours),
        "classes": {name: _localisation(part) for name, part in by_class.items()},
        "sequences": {", ".join(filter(None, names)): _localisation(part) for names, part in by_sequence},
        "faithfulness": _means(tumours, FAITHFULNESS),
        "randomisation": _means(tumours, tuple(DEPTHS)),
        "no_tumor": _means(healthy, STRENGTHS),
        "strengths": {name: _means(part, (f"strength_{name}",)) for name, part in by_class.items()},
    }


def summary(record: ExplanationsRecord) -> str:
    """The figures as a table to print, one line a method."""
    lines = [f"{'':12}{'pointing':>20}{'energy':>9}{'over uniform':>14}{'IoU':>7}{'insertion':>11}{'deletion':>10}"
             f"{'head shuffled':>15}   pointing by class"]  # fmt: skip
    for figures in record.methods.values():
        tumours = figures.tumors
        low, high = tumours.pointing_interval or (np.nan, np.nan)
        by_class = ", ".join(
            f"{name} {_rounded(part.pointing, 3)}" for name, part in figures.classes.items() if part.n
        )
        pointing = f"{_rounded(tumours.pointing, 3)} ({low:.3f}-{high:.3f})"
        lines.append(
            f"{figures.title:12}{pointing:>20}{_rounded(tumours.energy, 3):>9}"
            f"{_rounded(tumours.over_uniform, 1):>14}{_rounded(tumours.iou, 3):>7}"
            f"{_rounded(figures.faithfulness.insertion, 3):>11}{_rounded(figures.faithfulness.deletion, 3):>10}"
            f"{_rounded(figures.randomisation.head, 2):>15}   {by_class}"
        )
    return "\n".join(lines)


def _rounded(value: float | None, digits: int) -> str:
    return NO_VALUE if value is None else f"{value:.{digits}f}"


def _localisation(rows: pd.DataFrame) -> dict[str, Any]:
    result, values = _resampled(rows, LOCALISATION)
    times = None if values is None else ratio(values["energy"], values["uniform"])
    return result | with_interval("over_uniform", times)


def _means(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    return _resampled(rows[rows[names[0]].notna()], names)[0]


def _resampled(
    rows: pd.DataFrame, names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray] | None]:
    """n, groups and the mean of each column with its interval; and the means (1 + R,) of every resample."""
    if rows.empty:
        none = {key: None for name in names for key in (name, f"{name}_interval")}
        return {"n": 0, "groups": 0} | none, None
    group_of = pd.factorize(rows["group"])[0]
    weights = group_weights(group_of, RESAMPLES, 0)
    columns = np.column_stack([np.ones(len(rows)), rows[list(names)].to_numpy(float)])
    sums = weights @ group_sums(columns, group_of)
    values = {name: sums[:, number] / sums[:, 0] for number, name in enumerate(names, start=1)}
    result: dict[str, Any] = {"n": len(rows), "groups": int(group_of.max()) + 1}
    for name, value in values.items():
        result |= with_interval(name, value)
    return result, values
