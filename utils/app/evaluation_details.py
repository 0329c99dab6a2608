"""The last part of the Evaluation page: all figures, curves per class, training, robustness."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from utils.app import panels
from utils.app.evaluation_accuracy import known_scans, targets_and_probabilities
from utils.charts import curves, performance, training
from utils.classes import CLASSES
from utils.datasets.protocols import PROTOCOLS
from utils.metrics.classification import CLASS_FIGURES
from utils.networks.registry import NETWORKS
from utils.paths import models_folder
from utils.results.records import Evaluation, load_history, load_robustness
from utils.results.tables import average_precision_intervals, summary_table
from utils.results.titles import model_colours
from utils.wording import percent


def all_figures(evaluations: list[Evaluation], selected: Evaluation, same_split: list[Evaluation]) -> None:
    """The table of every model and split, and the details of the selected model."""
    st.subheader("All figures")
    _summary(evaluations)
    with st.expander(f"Figures per class, ROC and precision-recall curves, training of {selected.title}"):
        figure_name = st.selectbox(
            "Figure per class",
            CLASS_FIGURES,
            index=CLASS_FIGURES.index("recall"),
            format_func=lambda name: performance.FIGURE_TITLES[name],
        )
        models = {evaluation.title: evaluation.record for evaluation in same_split}
        panels.chart_with_caption(
            performance.per_class_bars(models, figure_name, model_colours()),
            "Whiskers: 95 % CI, patient-level bootstrap.",
        )
        scans = known_scans(selected)
        if scans is not None:
            _curves(selected, scans)
        _training(selected)
    record = load_robustness(models_folder() / "evaluation", selected.model)
    if record and record.protocol == selected.protocol.name:
        st.subheader("Robustness to image degradation")
        panels.chart_with_caption(
            performance.robustness(record),
            f"{record.n} test scans, degraded in steps; the numbers are the levels.",
        )


def _summary(evaluations: list[Evaluation]) -> None:
    st.dataframe(
        summary_table(evaluations),
        hide_index=True,
        column_config={"Network": st.column_config.TextColumn("Model", pinned=True)},
        alt="Figures of each model on each split, with 95 % CI",
    )
    st.caption(
        "In brackets: 95 % CI from a bootstrap over patients (or over groups of similar images where patients are "
        "unknown). Precision, recall, F1, IoU and AUC are means over the classes. Baselines without probabilities have "
        "no AUC, loss or expected calibration error (ECE)."
    )
    for evaluation in evaluations:
        corrected = evaluation.record.accuracy_corrected_labels
        if corrected is not None:
            st.caption(
                f"{evaluation.title}, {evaluation.protocol.title}: accuracy {percent(corrected, 1)} with known label "
                "errors corrected."
            )


def _curves(selected: Evaluation, scans: pd.DataFrame) -> None:
    targets, probabilities = targets_and_probabilities(scans)
    areas = {name: selected.record.classes[name].interval("auc") for name in CLASSES}
    left, right = st.columns(2, gap="large")
    with left:
        panels.chart_with_caption(
            curves.roc_curves(targets, probabilities, areas),
            "Each class against the other three. AUC: probability that a scan of the class has a higher predicted "
            "probability for it than a scan of another class.",
        )
    with right:
        panels.chart_with_caption(
            curves.precision_recall_curves(targets, probabilities, average_precision_intervals(scans)),
            "Each class against the other three. AP: average precision, the area under the step function.",
        )


def _training(selected: Evaluation) -> None:
    protocol = PROTOCOLS.get(selected.protocol.name)
    history = load_history(protocol.networks_folder(), selected.model) if protocol else []
    if history:
        panels.chart_with_caption(
            training.training_curves(history),
            "The ring marks the epoch of the stored weights. The training loss is measured on augmented images with "
            "smoothed labels, so it can exceed the validation loss.",
        )
    elif selected.model in NETWORKS:
        st.caption(f"No training history in the card of {selected.title}.")
