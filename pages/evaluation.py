"""The test-set charts: how good each network is, on which split, and how far its certainty can be believed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from utils import charts, panels, ui
from utils.calibration import reliability
from utils.cards import models_folder
from utils.classes import CLASSES
from utils.evaluations import (
    PROTOCOL_TITLES,
    Evaluation,
    load_history,
    read_evaluations,
    summary_table,
)
from utils.metrics import CLASS_FIGURES

COMMAND = "python model.py evaluate --model cnn --protocol patient-disjoint --data DIR"


def main() -> None:
    st.title("Evaluation")
    folder = models_folder()
    evaluations, problems = read_evaluations(folder / "evaluation")
    show_which_split_is_honest(evaluations)
    for problem in problems:
        st.warning(problem, icon=":material/warning:")
    if not evaluations:
        st.info("No network has been evaluated yet. To do it, run", icon=":material/info:")
        st.code(COMMAND, language=None, wrap_lines=True)
        return
    show_summary(evaluations)
    protocol, chosen = pick(evaluations)
    if chosen is not None:
        show_charts(chosen, [other for other in evaluations if other.protocol == protocol], folder)


def show_which_split_is_honest(evaluations: list[Evaluation]) -> None:
    published_neighbour = [
        evaluation.figures["accuracy"]
        for evaluation in evaluations
        if (evaluation.model, evaluation.protocol) == ("1-nn", "published")
    ]
    score = f"{100 * published_neighbour[0]:.0f} %" if published_neighbour else "about 97 %"
    st.markdown(
        "The **patient-disjoint** split is the honest one: no patient, and no copy of a picture, stands both in "
        "the part the networks learned from and in the part they are tested on. The **published** split leaks: "
        "75 % of Nickparvar's test images show a picture that is also in its training part, mirrored or not, so "
        f"that merely looking up the nearest training image, as a 32 x 32 thumbnail, already scores {score} there."
    )


def show_summary(evaluations: list[Evaluation]) -> None:
    table = summary_table(evaluations)
    st.dataframe(
        table,
        hide_index=True,
        column_config={"Network": st.column_config.TextColumn(pinned=True)},
        alt="Figures of each network on each split, with 95 % intervals",
    )
    st.caption(
        "In brackets: the 95 % interval, from resampling whole patients (or pictures, where no patient is known). "
        "Precision, recall, F1, IoU and AUC are means over the classes. 1-nearest neighbour gives no "
        "probabilities, and so no AUC, loss or calibration error (ECE)."
    )
    for evaluation in evaluations:
        corrected = evaluation.figures.get("accuracy_corrected_labels")
        if isinstance(corrected, int | float):
            st.caption(
                f"{evaluation.title}, {PROTOCOL_TITLES.get(evaluation.protocol, evaluation.protocol)}: "
                f"{100 * corrected:.1f} % accuracy with the known mislabels corrected."
            )


def pick(evaluations: list[Evaluation]) -> tuple[str | None, Evaluation | None]:
    """The protocol and the evaluation that the reader chose."""
    protocols = list(dict.fromkeys(evaluation.protocol for evaluation in evaluations))
    protocol = st.segmented_control(
        "Split",
        protocols,
        default=protocols[0],
        required=True,
        format_func=lambda name: PROTOCOL_TITLES.get(name, name),
    )
    there = {evaluation.title: evaluation for evaluation in evaluations if evaluation.protocol == protocol}
    title = st.segmented_control("Network", list(there), default=next(iter(there), None), required=True)
    return protocol, there.get(title or "")


def show_charts(chosen: Evaluation, beside: list[Evaluation], folder: Path) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        show(
            charts.confusion_matrix(chosen.figures["confusion"]),
            "Rows are the truth, columns the answer; each cell gives scans and their share of the row.",
        )
    with right:
        figure_name = st.selectbox(
            "Figure per class",
            CLASS_FIGURES,
            index=CLASS_FIGURES.index("recall"),
            format_func=lambda name: charts.FIGURE_TITLES[name],
        )
        models = {evaluation.title: evaluation.figures for evaluation in beside}
        show(charts.per_class_bars(models, figure_name), "Whiskers: 95 % interval over patients.")
    table = chosen.predictions
    if table is None or not set(CLASSES) <= set(table.columns):
        st.info(
            f"{chosen.title} has no probabilities here, so there are no ROC, precision-recall and reliability charts.",
            icon=":material/info:",
        )
        show_training(chosen, folder)
        return
    targets = table["target"].map(CLASSES.index).to_numpy(dtype=int)
    probabilities = table[list(CLASSES)].to_numpy(dtype=np.float64)
    show_curves(targets, probabilities)
    left, right = st.columns(2, gap="large")
    with left:
        show(
            charts.reliability_diagram(reliability(probabilities, targets)),
            "On the dotted line the network is right as often as it says. Whiskers: Wilson 95 % interval of "
            "each bin, scans taken as independent; bins with few scans tell little.",
        )
    with right:
        show_training(chosen, folder)


def show_curves(targets: np.ndarray, probabilities: np.ndarray) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        show(
            charts.roc_curves(targets, probabilities),
            "Each class against the other three. AUC: the chance that a scan of the class gets a higher "
            "probability of it than a scan of another.",
        )
    with right:
        show(
            charts.precision_recall_curves(targets, probabilities),
            "Each class against the other three. AP: average precision, the area under the steps.",
        )


def show_training(chosen: Evaluation, folder: Path) -> None:
    history = load_history(folder, chosen.model, chosen.protocol)
    if history:
        show(
            charts.training_curves(history),
            "The ring marks the epoch whose weights were kept. The training loss is taken on changed pictures "
            "with smoothed labels, so it can lie above the validation loss.",
        )
    elif chosen.model != "1-nn":
        st.caption(f"The card of {chosen.title} tells no training history.")


def show(figure: go.Figure, caption: str) -> None:
    """A chart with its finding as the text for screen readers, and below it how to read it."""
    panels.chart(figure)
    st.caption(caption)


ui.enter()
main()
