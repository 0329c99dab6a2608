"""The part of the Evaluation page about accuracy: by class, by confidence, by source."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from utils.app import panels, resources
from utils.charts import calibration, curves, performance
from utils.classes import CLASSES
from utils.datasets.sources import source_title
from utils.metrics.calibration import reliability, risk_coverage
from utils.results.records import Evaluation, MeasuredModel, of_known_type
from utils.results.tables import detection_by_source, parts_table
from utils.results.titles import BASELINE_TITLES, model_colours


def known_scans(model: MeasuredModel) -> pd.DataFrame | None:
    """The test scans of the output classes, one row each; None without probabilities."""
    table = model.predictions
    if table is None or not set(CLASSES) <= set(table.columns):
        return None
    return of_known_type(table)


def targets_and_probabilities(scans: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(N,) int targets and (N, 4) probabilities in CLASSES order, of `known_scans`."""
    targets = scans["target"].map(CLASSES.index).to_numpy(dtype=int)
    return targets, scans[list(CLASSES)].to_numpy(dtype=np.float64)


def accuracy(selected: Evaluation, same_split: list[Evaluation]) -> None:
    """The accuracy of all models beside the confusion matrix of the selected one."""
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Accuracy")
        panels.chart_with_caption(
            performance.accuracies(
                {evaluation.title: evaluation.record for evaluation in same_split}, model_colours()
            ),
            "With the baselines that the models must exceed: the most similar training image (1-nearest neighbour) "
            "and, where evaluated, simpler classifiers.",
        )
    with right:
        st.subheader("Confusion matrix")
        sensitivities = [selected.record.classes[name].interval("recall") for name in CLASSES]
        panels.chart_with_caption(
            performance.confusion_matrix(selected.record.confusion, sensitivities),
            f"{selected.title}. Rows: reference, columns: predicted; each cell: scans and percent of the row.",
        )


def confidence(selected: Evaluation, same_split: list[Evaluation]) -> None:
    """Calibration of the selected model, and accuracy against coverage of all."""
    scans = known_scans(selected)
    assert scans is not None
    targets, probabilities = targets_and_probabilities(scans)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Calibration")
        panels.chart_with_caption(
            calibration.reliability_diagram(reliability(probabilities, targets)),
            f"{selected.title}. Dotted: confidence equals accuracy. Whiskers: Wilson 95 % CI of each bin, scans taken "
            "as independent; bins with few scans are uncertain.",
        )
    with right:
        st.subheader("Referral of uncertain scans")
        ensemble = resources.ensemble() if selected.protocol.is_shipped else None
        models: list[MeasuredModel] = [model for model in same_split if model.model not in BASELINE_TITLES]
        panels.chart_with_caption(
            calibration.risk_coverage(
                _coverage_curves([*models, *([ensemble] if ensemble else [])]), model_colours()
            ),
            "Accuracy on the scans that are not referred. Bands: 95 % CI, patient-level bootstrap."
            + (
                " Ensemble: probability of its class; discordant scans are referred first."
                if ensemble
                else ""
            ),
        )


def sources(evaluations: list[Evaluation], same_split: list[Evaluation], selected: Evaluation) -> None:
    """Tumour detection by source and in external tests."""
    st.subheader("Tumour detection by source")
    rows = detection_by_source(evaluations, source_title)
    if not rows:
        st.info(
            "Not measured: the models were tested on held-out patients of a single collection, the one they were "
            "trained on.",
            icon=":material/info:",
        )
        return
    has_external_test = any(evaluation.protocol.left_out for evaluation in evaluations)
    panels.chart_with_caption(
        performance.tumor_detection(rows, model_colours()),
        "Tumour vs no tumour, including tumours of types outside the output classes. "
        + (
            "External test: models trained without that collection."
            if has_external_test
            else "All from collections used in training; no external test yet."
        ),
    )
    table = parts_table(same_split, source_title)
    if not table.empty:
        with st.expander("By source and sequence"):
            _source_curves(selected)
            st.dataframe(table, hide_index=True, alt="Figures of each model by source and sequence")
            st.caption(
                "Sensitivity and specificity at the threshold with 95 % specificity on validation; sensitivity at 95 % "
                "specificity: at the threshold with 95 % specificity on these scans. Accuracy of the tumour type: "
                "over scans of the output classes."
            )


def _coverage_curves(models: list[MeasuredModel]) -> dict[str, pd.DataFrame]:
    curves_by_title = {}
    for model in models:
        table = known_scans(model)
        if table is not None:
            groups = table["group"] if "group" in table else pd.Series(np.arange(len(table)), table.index)
            confidences = table[list(CLASSES)].max(axis=1) * table.get("agreed", 1)
            is_correct = (table["label"] == table["target"]).to_numpy()
            curves_by_title[model.title] = risk_coverage(
                confidences.to_numpy(float), is_correct, groups.to_numpy()
            )
    return curves_by_title


def _source_curves(selected: Evaluation) -> None:
    table, parts = selected.predictions, selected.record.parts
    if table is None or "source" not in table:
        return
    scores = {}
    for source, rows in table.groupby("source"):
        tumor = (rows["target"] != "no_tumor").to_numpy()
        if 0 < tumor.sum() < len(rows):
            scores[source_title(str(source))] = 1 - rows["no_tumor"].to_numpy(dtype=float), tumor
    intervals = {source_title(name): part.tumor.interval("auc") for name, part in parts.items()}
    if scores:
        panels.chart_with_caption(
            curves.tumor_roc(scores, intervals), f"{selected.title}: tumour vs no tumour."
        )
