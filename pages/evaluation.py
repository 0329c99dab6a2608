"""How good the networks are, as a story: a question, a chart that answers it, how to read it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from utils.app import evaluation_places, evaluation_subtypes, panels, resources, session
from utils.charts import performance, trust
from utils.classes import CLASSES
from utils.datasets.protocols import PROTOCOLS, protocol_title
from utils.datasets.samples import data_folder
from utils.datasets.sources import source_title
from utils.metrics.calibration import reliability, risk_coverage
from utils.metrics.classification import CLASS_FIGURES
from utils.networks.registry import NETWORKS
from utils.paths import models_folder
from utils.results.records import (
    BASELINE_TITLES,
    Evaluation,
    MeasuredModel,
    load_history,
    load_robustness,
    model_colours,
    of_known_type,
    read_evaluations,
)
from utils.results.tables import (
    average_precision_intervals,
    detection_by_source,
    mistakes,
    parts_table,
    summary_table,
)
from utils.scans import rendering
from utils.scans.errors import UnreadableScan
from utils.scans.upload import read_scan_file
from utils.wording import TARGET_TITLES, probability_in_percent

COMMAND = "python model.py evaluate --model cnn --protocol patient-disjoint --data DIR"
AT_ONCE = 14  # pictures of mistakes
PICTURE = 155  # pixels, the width of each


def main() -> None:
    st.title("How often are they right, and when?")
    folder = models_folder()
    evaluations, problems = read_evaluations(folder / "evaluation", PROTOCOLS.values())
    for problem in problems:
        st.warning(problem, icon=":material/warning:")
    if not evaluations:
        _which_split_is_honest(evaluations)
        st.info("No network has been evaluated yet. To do it, run", icon=":material/info:")
        st.code(COMMAND, language=None, wrap_lines=True)
        return
    protocol, chosen = _pick(evaluations)
    _which_split_is_honest(evaluations)
    beside = [other for other in evaluations if other.protocol.name == protocol]
    _how_often_right(chosen, beside)
    known = _known(chosen)
    if known is None:
        st.info(
            f"{chosen.title} has no probabilities: how sure it is, and when, cannot be told.",
            icon=":material/info:",
        )
    else:
        _how_sure(chosen, known, beside)
        _elsewhere(evaluations, beside, chosen)
        evaluation_places.maps(folder / "evaluation", protocol)
        evaluation_places.drawn_outlines(folder / "evaluation", protocol)
        _errors(chosen)
    evaluation_subtypes.finer_types(folder / "evaluation")
    _details(evaluations, chosen, known, beside, folder)


def _pick(evaluations: list[Evaluation]) -> tuple[str, Evaluation]:
    """The split, the honest one first, and the network."""
    protocols = list(dict.fromkeys(evaluation.protocol.name for evaluation in evaluations))
    with st.container(horizontal=True, gap="large"):
        protocol = st.segmented_control(
            "Split",
            protocols,
            default=protocols[0],
            required=True,
            format_func=protocol_title,
        )
        there = {one.title: one for one in evaluations if one.protocol.name == protocol}
        title = st.segmented_control("Network", list(there), default=next(iter(there)), required=True)
    return protocol, there[title]


def _which_split_is_honest(evaluations: list[Evaluation]) -> None:
    published_neighbour = [
        evaluation.record.accuracy or 0
        for evaluation in evaluations
        if (evaluation.model, evaluation.protocol.name) == ("1-nn", "published")
    ]
    score = f"{100 * published_neighbour[0]:.0f} %" if published_neighbour else "about 97 %"
    st.caption(
        "**patient-disjoint** is the honest split: no patient, and no copy of a picture, stands both in the part the "
        "networks learned from and in the part they are tested on. The **published** one leaks: 75 % of its test "
        f"images show a picture of its training part, and looking up the nearest one already scores {score}."
        + (
            " **Left out** is the hardest: networks trained anew without a collection, tested on it."
            if any(evaluation.protocol.left_out for evaluation in evaluations)
            else ""
        )
        + (
            " **Sartaj's own** leaks too: 251 of its 394 test images show a picture of its training part."
            if any(evaluation.protocol.name == "sartaj" for evaluation in evaluations)
            else ""
        )
    )


def _how_often_right(chosen: Evaluation, beside: list[Evaluation]) -> None:
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("How often is it right?")
        panels.chart_with_caption(
            trust.accuracies({one.title: one.record for one in beside}, model_colours()),
            "Beside the networks what they must beat: the most similar training picture (1-nearest neighbour) and, "
            "where measured, simpler rules.",
        )
    with right:
        st.subheader("On which class is it wrong, and as what?")
        recalls = [chosen.record.classes[name].recall_interval for name in CLASSES]
        panels.chart_with_caption(
            performance.confusion_matrix(chosen.record.confusion, recalls),
            f"{chosen.title}. Rows are the truth, columns the answer; in each cell scans and their share of the row.",
        )


def _known(chosen: MeasuredModel) -> pd.DataFrame | None:
    """The single scans with a type that can be right or wrong; None without probabilities."""
    table = chosen.predictions
    if table is None or not set(CLASSES) <= set(table.columns):
        return None
    return of_known_type(table)


def _how_sure(chosen: Evaluation, known: pd.DataFrame, beside: list[Evaluation]) -> None:
    targets, probabilities = _arrays(known)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("When it says 90 %, is it right 9 times in 10?")
        panels.chart_with_caption(
            performance.reliability_diagram(reliability(probabilities, targets)),
            f"{chosen.title}. On the dotted line it is right as often as it says. Whiskers: Wilson 95 % interval of "
            "each bin, scans taken as independent; bins with few scans tell little.",
        )
    with right:
        st.subheader("What does referring the unsure to a person buy?")
        together = resources.together() if chosen.protocol.is_shipped else None
        curves = {}
        networks = [other for other in beside if other.model not in BASELINE_TITLES]
        for one in networks + ([together] if together else []):
            table = _known(one)
            if table is not None:
                groups = table["group"] if "group" in table else pd.Series(np.arange(len(table)), table.index)
                confidence = table[list(CLASSES)].max(axis=1) * table.get("agreed", 1)
                right_ones = (table["label"] == table["target"]).to_numpy()
                curves[one.title] = risk_coverage(confidence.to_numpy(float), right_ones, groups.to_numpy())
        panels.chart_with_caption(
            trust.risk_coverage(curves, model_colours()),
            "Accuracy on those that are answered. Bands: 95 % interval, whole patients drawn anew."
            + (" Together: their mean probability, scans on which they disagree last." if together else ""),
        )


def _elsewhere(evaluations: list[Evaluation], beside: list[Evaluation], chosen: Evaluation) -> None:
    st.subheader("Does it hold on other sources?")
    rows = detection_by_source(evaluations, source_title)
    if not rows:
        st.info(
            "Not measured: these networks were tested on patients they had not seen, but from the one collection that "
            "they learned from.",
            icon=":material/info:",
        )
        return
    panels.chart_with_caption(
        trust.elsewhere(rows, model_colours()),
        "Tumour at all: any tumour against healthy, also tumours of types that the networks cannot name. "
        + (
            "'left out': networks trained anew without that source."
            if any(one.protocol.left_out for one in evaluations)
            else "All from sources that the networks learned from; sources never seen have not been measured yet."
        ),
    )
    table = parts_table(beside, source_title)
    if not table.empty:
        with st.expander("Each source and sequence"):
            _tumour_curves(chosen)
            st.dataframe(table, hide_index=True, alt="Figures of each network on each source and sequence")
            st.caption(
                "Tumours found and healthy scans left alone are counted at the threshold that left 95 % of the "
                "healthy validation scans alone; beside it the share found at the threshold that leaves 95 % of "
                "these healthy scans alone. The type is counted over scans of a type that the networks know."
            )


def _tumour_curves(chosen: Evaluation) -> None:
    table, parts = chosen.predictions, chosen.record.parts
    if table is None or "source" not in table:
        return
    curves = {}
    for source, rows in table.groupby("source"):
        tumour = (rows["target"] != "no_tumor").to_numpy()
        if 0 < tumour.sum() < len(rows):
            curves[source_title(str(source))] = 1 - rows["no_tumor"].to_numpy(dtype=float), tumour
    intervals = {source_title(name): part.tumor.auc_interval for name, part in parts.items()}
    if curves:
        panels.chart_with_caption(
            trust.tumor_roc(curves, intervals), f"{chosen.title}: any tumour against healthy."
        )


def _errors(chosen: Evaluation) -> None:
    """The scans that were read wrongly, as pictures where the data folder is there."""
    assert chosen.predictions is not None
    table = mistakes(chosen.predictions)
    st.subheader("What do its mistakes look like?")
    if table.empty:
        st.caption(f"{chosen.title} made none.")
        return
    st.caption(f"{len(table)} scans were read wrongly by {chosen.title}, the surest mistakes first.")
    drawn = 0
    side_by_side = st.container(horizontal=True)  # two on a phone, where columns would stand below each other
    for row in table.drop_duplicates("group").head(AT_ONCE).itertuples():
        path = data_folder() / str(row.source) / str(row.file)
        try:
            pixels = rendering.gray_image(read_scan_file(path).pixels)
        except (OSError, UnreadableScan):
            continue
        truth, said = TARGET_TITLES[str(row.target)], TARGET_TITLES[str(row.label)]
        words = f"{truth}, read as {said}, {probability_in_percent(row.confidence)}"  # type: ignore[arg-type]
        with side_by_side.container(width=PICTURE):
            panels.picture(pixels, f"Test scan: {words}", words)
        drawn += 1
    if drawn:
        st.caption("One of each patient, or group of similar pictures.")
    with st.expander("All of them by name", expanded=not drawn):
        told = table.drop(columns="group").assign(
            target=table["target"].map(TARGET_TITLES),
            label=table["label"].map(TARGET_TITLES),
            confidence=table["confidence"].map(probability_in_percent),
        )
        st.dataframe(
            told.rename(columns={"target": "truly", "label": "read as"}),
            hide_index=True,
            alt="Every test scan that was read wrongly",
        )
        if not drawn:
            st.caption("As pictures where the data sets are in `../shared/data` or `$BRAIN_MRI_DATA`.")


def _details(
    evaluations: list[Evaluation],
    chosen: Evaluation,
    known: pd.DataFrame | None,
    beside: list[Evaluation],
    folder: Path,
) -> None:
    st.subheader("All figures")
    _summary(evaluations)
    with st.expander(f"Each class, ROC and precision-recall curves, training of {chosen.title}"):
        figure_name = st.selectbox(
            "Figure per class",
            CLASS_FIGURES,
            index=CLASS_FIGURES.index("recall"),
            format_func=lambda name: performance.FIGURE_TITLES[name],
        )
        models = {evaluation.title: evaluation.record for evaluation in beside}
        panels.chart_with_caption(
            performance.per_class_bars(models, figure_name, model_colours()),
            "Whiskers: 95 % interval over patients.",
        )
        if known is not None:
            _curves(chosen, known)
        _training(chosen, folder)
    record = load_robustness(folder / "evaluation", chosen.model)
    if record and record.protocol == chosen.protocol.name:
        st.subheader("And on worse pictures?")
        panels.chart_with_caption(
            trust.robustness(record),
            f"{record.n} of the scans, each made worse step by step; the numbers are the steps.",
        )


def _summary(evaluations: list[Evaluation]) -> None:
    st.dataframe(
        summary_table(evaluations),
        hide_index=True,
        column_config={"Network": st.column_config.TextColumn(pinned=True)},
        alt="Figures of each network on each split, with 95 % intervals",
    )
    st.caption(
        "In brackets: the 95 % interval, from resampling whole patients (or pictures, where no patient is known). "
        "Precision, recall, F1, IoU and AUC are means over the classes. Baselines without probabilities have no AUC, "
        "loss or calibration error (ECE)."
    )
    for evaluation in evaluations:
        corrected = evaluation.record.accuracy_corrected_labels
        if isinstance(corrected, int | float):
            st.caption(
                f"{evaluation.title}, {evaluation.protocol.title}: "
                f"{100 * corrected:.1f} % accuracy with the known mislabels corrected."
            )


def _curves(chosen: Evaluation, known: pd.DataFrame) -> None:
    targets, probabilities = _arrays(known)
    areas = {name: chosen.record.classes[name].auc_interval for name in CLASSES}
    left, right = st.columns(2, gap="large")
    with left:
        panels.chart_with_caption(
            performance.roc_curves(targets, probabilities, areas),
            "Each class against the other three. AUC: the chance that a scan of the class gets a higher "
            "probability of it than a scan of another.",
        )
    with right:
        panels.chart_with_caption(
            performance.precision_recall_curves(targets, probabilities, average_precision_intervals(known)),
            "Each class against the other three. AP: average precision, the area under the steps.",
        )


def _training(chosen: Evaluation, folder: Path) -> None:
    protocol = PROTOCOLS.get(chosen.protocol.name)
    history = load_history(protocol.networks_folder(folder), chosen.model) if protocol else []
    if history:
        panels.chart_with_caption(
            performance.training_curves(history),
            "The ring marks the epoch whose weights were kept. The training loss is taken on changed pictures "
            "with smoothed labels, so it can lie above the validation loss.",
        )
    elif chosen.model in NETWORKS:
        st.caption(f"The card of {chosen.title} tells no training history.")


def _arrays(known: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(N,) int targets and (N, 4) probabilities in CLASSES order."""
    targets = known["target"].map(CLASSES.index).to_numpy(dtype=int)
    return targets, known[list(CLASSES)].to_numpy(dtype=np.float64)


session.enter()
main()
