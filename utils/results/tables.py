"""Tables of what `model.py evaluate` measured (utils/results/records.py), for the Evaluation page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR
from utils.metrics.bootstrap import group_weights, weighted_average_precision
from utils.records.explanations import ExplanationsRecord
from utils.records.measures import DetectionFigures, Figures
from utils.results.records import Evaluation
from utils.wording import CLASS_TITLES, NO_VALUE, percent, value_with_interval

# figure -> column title, decimals, in percent
_COLUMNS = {
    "accuracy": ("Accuracy", 1, True),
    "macro_f1": ("F1", 1, True),
    "macro_iou": ("IoU", 1, True),
    "auc": ("AUC", 3, False),
    "loss": ("Loss (nats)", 2, False),
    "ece": ("ECE", 3, False),
    "macro_precision": ("Precision", 1, True),
    "macro_recall": ("Recall", 1, True),
    "kappa": ("Kappa", 2, False),
}

_PART_COLUMNS = {
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "sensitivity_at_95_specificity": "Sensitivity at 95 % specificity",
}


def summary_table(evaluations: Iterable[Evaluation]) -> pd.DataFrame:
    """One row a network and protocol; each figure in words, "91.0 % (89.1-92.7)", or a dash where it has none."""
    rows = []
    for evaluation in evaluations:
        record = evaluation.record
        row = {
            "Network": evaluation.title,
            "Split": evaluation.protocol.title,
            "Scans": f"{record.n:,}".replace(",", " "),
        }
        row |= {title: _column(record, name) for name, (title, _, _) in _COLUMNS.items()}
        rows.append(row)
    columns = ["Network", "Split", "Scans", *(title for title, *_ in _COLUMNS.values())]
    return pd.DataFrame(rows, columns=columns)


def answers_table(evaluations: Sequence[Evaluation]) -> list[dict[str, str]]:
    """One row a network and test on new patients: the app's protocol, then the collections that it never saw."""
    chosen = [evaluation for evaluation in evaluations if evaluation.protocol.is_shipped]
    chosen += [evaluation for evaluation in evaluations if evaluation.protocol.is_never_seen]
    rows = []
    for evaluation in chosen:
        record, protocol = evaluation.record, evaluation.protocol
        where = (
            "New patients, known collections"
            if protocol.is_shipped
            else f"Never seen: {_place(protocol.title)}"
        )
        tumor = record.tumor
        rows.append(
            {
                "Tested on": f"**{where}**" if protocol.is_shipped else where,
                "Model": evaluation.title,
                "Sensitivity": _percent(tumor, "sensitivity") if tumor else NO_VALUE,
                "Specificity": _percent(tumor, "specificity") if tumor else NO_VALUE,
                "Correct type": _percent(record, "accuracy"),
            }
        )
    return rows


def _place(title: str) -> str:
    """The collections in the title of an external test: "External test: Feltrin" names Feltrin."""
    return title.partition(": ")[2] or title


def parts_table(evaluations: Iterable[Evaluation], source_title: Callable[[str], str]) -> pd.DataFrame:
    """One row a network and source, or source and sequence, where an evaluation has several; else empty.

    source_title: `utils.datasets.sources.source_title`.
    """
    rows = []
    for evaluation in evaluations:
        for name, part in evaluation.record.parts.items():
            tumor = part.tumor
            rows.append(
                {
                    "Scans from": source_title(name),
                    "Network": evaluation.title,
                    "Tumours": tumor.tumors,
                    "Healthy": tumor.healthy,
                    **{title: _percent(tumor, key) for key, title in _PART_COLUMNS.items()},
                    "AUC": _rounded(tumor.auc, 3),
                    "Accuracy, tumour type": _percent(part, "accuracy"),
                    "ECE": _rounded(part.ece, 3),
                }
            )
    return pd.DataFrame(rows).sort_values(["Scans from"], kind="stable") if rows else pd.DataFrame()


def places_table(records: Mapping[str, ExplanationsRecord]) -> pd.DataFrame:
    """One row a network, method and class of tumour; records: by network title."""
    rows = []
    for title, record in records.items():
        for figures in record.methods.values():
            parts = {"all tumours": figures.tumors}
            parts |= {CLASS_TITLES[name]: part for name, part in figures.classes.items() if part.n}
            for name, part in parts.items():
                whole = name == "all tumours"
                healthy = figures.no_tumor.strongest
                rows.append(
                    {
                        "Network": title,
                        "Method": figures.title,
                        "Tumours": f"{name} ({part.n})",
                        "Points inside": _percent(part, "pointing"),
                        "Energy inside": _percent(part, "energy"),
                        "Over uniform": _rounded(part.over_uniform, 1),
                        "IoU": _rounded(part.iou, 2),
                        "Insertion": _rounded(figures.faithfulness.insertion, 2) if whole else "",
                        "Deletion": _rounded(figures.faithfulness.deletion, 2) if whole else "",
                        "Head shuffled": _rounded(figures.randomisation.head, 2) if whole else "",
                        "Healthy": percent(healthy) if whole and healthy is not None else "",
                    }
                )
    return pd.DataFrame(rows)


def detection_by_source(
    evaluations: Iterable[Evaluation], source_title: Callable[[str], str]
) -> list[tuple[str, str, float, float, float]]:
    """Tumour detection for each source of the app's protocol and each external test: (part, network's title, AUC,
    low, high).

    source_title: `utils.datasets.sources.source_title`.
    """
    rows = []
    for evaluation in evaluations:
        parts: dict[str, DetectionFigures | None] = {}
        if evaluation.protocol.is_shipped:
            parts = {
                f"{source_title(name)}, held-out patients": part.tumor
                for name, part in evaluation.record.parts.items()
                if " " not in name  # no single sequences
            }
        elif evaluation.protocol.left_out:
            parts = {evaluation.protocol.title: evaluation.record.tumor}
        for name, tumor in parts.items():
            if tumor is not None and tumor.auc is not None:
                low, high = tumor.interval("auc") or (tumor.auc, tumor.auc)
                rows.append((name, evaluation.title, tumor.auc, low, high))
    return rows


def mistakes(predictions: pd.DataFrame) -> pd.DataFrame:
    """The scans with a wrong label, the most confident first: file, source, target, label, group, confidence (0..1).

    predictions: the table of an Evaluation with probabilities. A tumour of a type that is no class counts where the
    label is no tumour. Without a column `group` each scan is its own group.
    """
    other = predictions["target"] == OTHER_TUMOR
    wrong = np.where(other, predictions["label"] == "no_tumor", predictions["label"] != predictions["target"])
    table = predictions[wrong]
    confidence = table[list(CLASSES)].max(axis=1)
    kept = table.reindex(columns=["file", "source", "target", "label"])
    kept = kept.assign(group=table.get("group", table.index), confidence=confidence)
    return kept.sort_values("confidence", ascending=False)


def average_precision_intervals(
    predictions: pd.DataFrame, resamples: int = 200
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each class's average precision, from a group-level bootstrap.

    predictions: scans of CLASSES alone, from the table of an Evaluation with probabilities.
    """
    group_of = pd.factorize(predictions.get("group", predictions.index))[0]
    weights = group_weights(group_of, resamples, seed=0)[:, group_of]
    intervals = {}
    for name in CLASSES:
        scores, positive = predictions[name].to_numpy(float), (predictions["target"] == name).to_numpy()
        if positive.any():
            drawn = weighted_average_precision(scores, positive, weights)[1:]
            low, high = np.nanpercentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
            intervals[name] = (float(low), float(high))
    return intervals


def _rounded(value: float | None, digits: int) -> str:
    return NO_VALUE if value is None else f"{value:.{digits}f}"


def _percent(figures: Figures, name: str) -> str:
    """ "91.0 % (89.1-92.7)", or a dash."""
    return value_with_interval(figures.figure(name), figures.interval(name))


def _column(figures: Figures, name: str) -> str:
    _, digits, is_share = _COLUMNS[name]
    return value_with_interval(figures.figure(name), figures.interval(name), digits, is_share)
