"""The ensemble is fitted: how the networks' outputs become one answer, and from which probability on it counts."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.datasets.protocols import PROTOCOLS
from utils.metrics import classification, ensemble
from utils.metrics.detection import detection_figures
from utils.networks.cards import load_card
from utils.networks.registry import app_networks, segmenters
from utils.networks.shipped import (
    ENSEMBLE,
    DetectionWeights,
    Ensemble,
    EnsembleValidation,
    UnseenFigures,
    reading_networks,
    segmentation_weights,
)
from utils.paths import current_commit, models_folder
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter, tumor_score
from utils.records.base import write_record
from utils.scans.upload import read_scan_file
from utils.training.calibrate import outputs_of

LOGITS = [f"logit_{name}" for name in CLASSES]
KEYS = ["file", "source"]


@dataclass(frozen=True)
class _Scans:
    """Stored predictions that an ensemble is fitted on or measured with: arrays of N scans.

    `log_odds`: (N, K) of the networks in order; `types`: (N, C) mean probabilities of the classifiers; `label`: (N,)
    their common label, "" where they differ; `weights`: (N,) with a mean of 1.
    """

    log_odds: np.ndarray
    types: np.ndarray
    label: np.ndarray
    target: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, table: pd.DataFrame, names: Sequence[str]) -> _Scans:
        is_tumor = (table["target"] != "no_tumor").to_numpy()
        return cls(
            table[[f"{name}_log_odds" for name in names]].to_numpy(),
            table[list(CLASSES)].to_numpy(),
            table["label"].to_numpy(str),
            table["target"].to_numpy(str),
            _balanced(table["protocol"] + " " + table["source"], is_tumor),
        )

    @property
    def is_tumor(self) -> np.ndarray:
        return self.target != "no_tumor"

    def fit(self) -> tuple[float, list[float]]:
        """Intercept and weights of the detection."""
        return ensemble.fit_detection(self.log_odds, self.is_tumor, self.weights)

    def joint(self, intercept: float, weights: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """(N, C) joint probabilities, and (N,) whether the classifiers agree with them."""
        tumor = ensemble.tumor_probability(self.log_odds, intercept, weights)
        joint = ensemble.joint_probabilities(self.types, tumor)
        return joint, np.asarray(CLASSES)[joint.argmax(axis=1)] == self.label


def fit_on_unseen(samples: pd.DataFrame, command: str) -> Ensemble | None:
    """Fit the weights on the stored predictions of the protocols that leave out families, the threshold on validation.

    Each of these scans was read by networks that had never seen its family of collections. The weights are those of the
    networks that were evaluated on all of the protocols for which the segmentation network was; they hold for the
    networks that the app reads with. On unseen families no threshold makes the named types as reliable as the app
    promises, so the referral thresholds come from the validation rows of `samples`; only that of "no tumour" is at
    least `ensemble.least_no_tumor` of the unseen families. The record says what they give on unseen families. Nothing
    is fitted on the test rows of `samples`. Writes ENSEMBLE and returns it; None without such predictions.
    """
    table, names = _all_unseen()
    if table is None:
        return None
    tested = pd.MultiIndex.from_frame(samples.loc[samples["part"] == "test", KEYS])
    fitted_on = table[~table.set_index(KEYS).index.isin(tested)]
    intercept, weights = _Scans.of(fitted_on, names).fit()
    detection = DetectionWeights(
        intercept=round(intercept, 5),
        weights={name: round(weight, 5) for name, weight in zip(names, weights, strict=True)},
        fitted_on=fitted_on["protocol"].value_counts().to_dict(),
    )
    bound = _least_no_tumor(list(_unseen(fitted_on, fitted_on, names).values()))
    referral = _referral(detection, samples, bound)
    figures = {
        name: _figures(scans, joint, agreed, referral["referral_thresholds"])
        for name, (scans, joint, agreed) in _unseen(table, fitted_on, names).items()
    }
    cards = [load_card(file) for file in (*reading_networks(), segmentation_weights())]
    return _write({card.name: card.version for card in cards}, referral, command, detection, figures)


def unseen_answers() -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Protocol that leaves out families -> its scans (KEYS, `target`, `label`) and their joint probabilities (N, C).

    No network had seen these families, and the weights are fitted on the others. Empty without stored predictions.
    """
    table, names = _all_unseen()
    if table is None:
        return {}
    return {
        protocol: (table[table["protocol"] == protocol].reset_index(drop=True), joint)
        for protocol, (_, joint, _) in _unseen(table, table, names).items()
    }


def _all_unseen() -> tuple[pd.DataFrame | None, list[str]]:
    """The stored predictions of these protocols, and the networks that have read all of them."""
    tables = {
        protocol.name: _predictions(protocol.name)
        for protocol in PROTOCOLS.values()
        if protocol.tested_families
    }
    measured = {name: table for name, table in tables.items() if table is not None}
    if not measured:
        return None, []
    table = pd.concat([rows.assign(protocol=name) for name, rows in measured.items()], ignore_index=True)
    return table, [
        name for name in (*app_networks(), segmenters()[0]) if table[f"{name}_log_odds"].notna().all()
    ]


def _unseen(
    table: pd.DataFrame, fitted_on: pd.DataFrame, names: Sequence[str]
) -> dict[str, tuple[_Scans, np.ndarray, np.ndarray]]:
    """Protocol -> its scans, and their joint probabilities by weights fitted on the others; empty with one protocol."""
    result: dict[str, tuple[_Scans, np.ndarray, np.ndarray]] = {}
    protocols = list(table["protocol"].unique())
    for protocol in protocols if len(protocols) > 1 else ():
        scans = _Scans.of(table[table["protocol"] == protocol], names)
        others = _Scans.of(fitted_on[fitted_on["protocol"] != protocol], names)
        result[protocol] = (scans, *scans.joint(*others.fit()))
    return result


def _least_no_tumor(unseen: Sequence[tuple[_Scans, np.ndarray, np.ndarray]]) -> float:
    """`ensemble.least_no_tumor` of all protocols, which count the same."""
    if not unseen:
        return 0.0
    tumors = [scans.is_tumor for scans, _, _ in unseen]
    return ensemble.least_no_tumor(
        np.concatenate([joint[rows] for (_, joint, _), rows in zip(unseen, tumors, strict=True)]),
        np.concatenate([agreed[rows] for (_, _, agreed), rows in zip(unseen, tumors, strict=True)]),
        np.concatenate([np.full(rows.sum(), 1 / rows.sum()) for rows in tumors]),
    )


def _referral(detection: DetectionWeights, samples: pd.DataFrame, least_no_tumor: float) -> dict[str, Any]:
    """`ensemble.fit_referral` of the joint answers for the validation rows of a known class."""
    rows = samples[(samples["part"] == "validation") & samples["target"].isin(CLASSES)]
    logits, scores = _logits(rows), _tumor_scores(rows)
    by_network = {name: ensemble.tumor_log_odds(values) for name, values in logits.items()}
    by_network[segmenters()[0]] = ensemble.score_log_odds(scores)
    temperatures = [load_card(file).temperature for file in reading_networks()]
    types = ensemble.mean_probabilities(list(logits.values()), temperatures)
    joint = ensemble.ensemble_probabilities(types, by_network, detection.intercept, detection.weights)
    agreed = ensemble.concordant([values.argmax(axis=1) for values in logits.values()], joint)
    return ensemble.fit_referral(joint, agreed, rows["target"].map(CLASSES.index).to_numpy(), least_no_tumor)


def _logits(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """(N, C) logits of scans by each of the app's classifiers."""
    readers = [Reader.load(file) for file in reading_networks()]
    return {reader.card.name: outputs_of(reader, list(rows["path"]))[0] for reader in readers}


def _tumor_scores(rows: pd.DataFrame) -> np.ndarray:
    """(N,) tumour scores of scans."""
    segmenter, paths = Segmenter.load(segmentation_weights()), list(rows["path"])
    scores = [
        tumor_score(output.probabilities)
        for start in range(0, len(paths), BATCH)
        for output in segmenter.outputs([read_scan_file(path) for path in paths[start : start + BATCH]])
    ]
    return np.asarray(scores)


def _figures(
    scans: _Scans, joint: np.ndarray, agreed: np.ndarray, referral_thresholds: Mapping[str, float]
) -> UnseenFigures:
    """What an ensemble that was fitted on other families reaches on these scans, of which each counts the same."""
    tumor = 1 - joint[:, ensemble.NO_TUMOR]
    is_known = np.isin(scans.target, CLASSES)
    thresholds = np.array([referral_thresholds[name] for name in CLASSES])
    is_answered = agreed & (joint.max(axis=1) >= thresholds[joint.argmax(axis=1)]) & is_known
    answered_tumors = is_answered & scans.is_tumor
    correct = scans.label == scans.target
    detection = detection_figures(tumor, scans.is_tumor, np.arange(len(tumor)), 0.5, resamples=1)
    return UnseenFigures(
        n=len(tumor),
        auc=round(detection["auc"], 4),
        sensitivity_at_95_specificity=round(detection["sensitivity_at_95_specificity"], 4),
        answered=round(float(is_answered[is_known].mean()), 4),
        accuracy=round(float(correct[is_answered].mean()), 4) if is_answered.any() else None,
        accuracy_on_tumors=round(float(correct[answered_tumors].mean()), 4)
        if answered_tumors.any()
        else None,
    )


def fit_on_validation(samples: pd.DataFrame, command: str) -> Ensemble:
    """Fit the mean probability from which on the common answer of the app's classifiers counts, on validation rows.

    Writes ENSEMBLE and returns it.
    """
    rows = samples[(samples["part"] == "validation") & samples["target"].isin(CLASSES)]
    cards = [load_card(file) for file in reading_networks()]
    logits = _logits(rows)
    probabilities = [classification.softmax(logits[card.name] / card.temperature) for card in cards]
    referral = ensemble.fit(probabilities, rows["target"].map(CLASSES.index).to_numpy())
    return _write({card.name: card.version for card in cards}, referral, command)


def _write(
    versions: Mapping[str, str],
    referral: Mapping[str, Any],
    command: str,
    detection: DetectionWeights | None = None,
    unseen: Mapping[str, UnseenFigures] | None = None,
) -> Ensemble:
    fields: dict[str, Any] = {"detection": detection, "unseen": unseen} if detection else {}
    record = Ensemble(
        weights_sha256=versions,
        referral_thresholds=referral["referral_thresholds"],
        validation=EnsembleValidation.model_validate(referral["validation"]),
        command=command,
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
        **fields,
    )
    write_record(models_folder() / ENSEMBLE, record)
    return record


def _predictions(protocol: str) -> pd.DataFrame | None:
    """The scans that the segmentation network and at least one classifier read: facts, log-odds, mean probabilities.

    `label` is the class that all classifiers name, "" where they differ. None without such predictions.
    """
    scores = _stored(segmenters()[0], protocol, "tumor_score")
    classifiers = {name: _stored(name, protocol, LOGITS[0]) for name in app_networks()}
    present = {name: rows for name, rows in classifiers.items() if rows is not None}
    if scores is None or not present:
        return None
    shared = scores.index
    for rows in present.values():
        shared = shared.intersection(rows.index)
    table = scores.loc[shared, ["target"]].copy()
    table[f"{segmenters()[0]}_log_odds"] = ensemble.score_log_odds(
        scores.loc[shared, "tumor_score"].to_numpy()
    )
    for name in app_networks():
        table[f"{name}_log_odds"] = (
            ensemble.tumor_log_odds(present[name].loc[shared, LOGITS].to_numpy())
            if name in present
            else np.nan
        )
    aligned = [rows.loc[shared] for rows in present.values()]
    table[list(CLASSES)] = np.mean([rows[list(CLASSES)].to_numpy() for rows in aligned], axis=0)
    agreed = np.all([rows["label"] == aligned[0]["label"] for rows in aligned], axis=0)
    table["label"] = aligned[0]["label"].where(agreed, "")
    return table.reset_index()


def _stored(network: str, protocol: str, column: str) -> pd.DataFrame | None:
    file = models_folder() / "evaluation" / f"{network}--{protocol}.csv"
    table = pd.read_csv(file).set_index(KEYS) if file.is_file() else None
    return table if table is not None and column in table else None


def _balanced(origin: pd.Series, is_tumor: np.ndarray) -> np.ndarray:
    """(N,) weights with a mean of 1: tumours and scans without weigh the same, and in each kind all origins do."""
    cells = origin + np.where(is_tumor, " tumour", " none")
    kinds = pd.Series(is_tumor, origin.index)
    cells_of_kind = kinds.map(cells.groupby(kinds).nunique())
    weights = 1 / (cells.map(cells.value_counts()) * cells_of_kind)
    return (weights / weights.mean()).to_numpy()
