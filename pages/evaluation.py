"""Evaluation: accuracy, calibration, localisation and errors of the models on test scans."""

from __future__ import annotations

import streamlit as st

from utils.app import (
    evaluation_accuracy,
    evaluation_details,
    evaluation_errors,
    evaluation_localisation,
    evaluation_subtypes,
    evaluation_summary,
    session,
)
from utils.datasets.protocols import PROTOCOLS, protocol_title
from utils.paths import models_folder
from utils.results.records import Evaluation, read_evaluations
from utils.wording import percent

COMMAND = "python model.py evaluate --model cnn --protocol patient-disjoint --data DIR"


def main() -> None:
    st.header("How accurate are the models?")
    records = models_folder() / "evaluation"
    evaluations, problems = read_evaluations(records, PROTOCOLS.values())
    for problem in problems:
        st.warning(problem, icon=":material/warning:")
    if not evaluations:
        _splits(evaluations)
        st.info("No model has been evaluated yet. To evaluate one, run", icon=":material/info:")
        st.code(COMMAND, language=None, wrap_lines=True)
        return
    evaluation_summary.summary(evaluations)
    st.divider()
    st.subheader("Details")
    with_comparison = st.toggle(
        "Splits for comparison with the literature",
        help="Figures on the splits of other authors, which leak patients from training into test",
    )
    shown = [
        evaluation
        for evaluation in evaluations
        if with_comparison or not evaluation.protocol.is_for_comparison
    ]
    evaluations = shown or evaluations
    protocol, selected = _selection(evaluations)
    _splits(evaluations)
    same_split = [evaluation for evaluation in evaluations if evaluation.protocol.name == protocol]
    evaluation_accuracy.accuracy(selected, same_split)
    if evaluation_accuracy.known_scans(selected) is None:
        st.info(
            f"{selected.title} has no probabilities: no calibration and referral curves.",
            icon=":material/info:",
        )
    else:
        evaluation_accuracy.confidence(selected, same_split)
        evaluation_accuracy.sources(evaluations, same_split, selected)
        evaluation_localisation.saliency_maps(records, protocol)
        evaluation_localisation.tumor_outlines(records, protocol)
        evaluation_errors.errors(selected)
    evaluation_subtypes.subtypes(records)
    evaluation_details.all_figures(evaluations, selected, same_split)


def _selection(evaluations: list[Evaluation]) -> tuple[str, Evaluation]:
    """The selected split, the patient-level one first, and model."""
    protocols = list(dict.fromkeys(evaluation.protocol.name for evaluation in evaluations))
    with st.container(horizontal=True, gap="large"):
        protocol = st.segmented_control(
            "Split",
            protocols,
            default=protocols[0],
            required=True,
            format_func=protocol_title,
        )
        by_title = {
            evaluation.title: evaluation for evaluation in evaluations if evaluation.protocol.name == protocol
        }
        title = st.segmented_control("Model", list(by_title), default=next(iter(by_title)), required=True)
    return protocol, by_title[title]


def _splits(evaluations: list[Evaluation]) -> None:
    """What the figures of each split mean, with the accuracy of the 1-nearest neighbour as a measure of leakage."""
    evaluated = {evaluation.protocol.name for evaluation in evaluations} or {"patient-disjoint", "published"}
    neighbour = {
        evaluation.protocol.name: evaluation.record.accuracy
        for evaluation in evaluations
        if evaluation.model == "1-nn"
    }
    lines = []
    for protocol in PROTOCOLS.values():
        if protocol.name in evaluated:
            accuracy = neighbour.get(protocol.name)
            baseline = "" if accuracy is None else f" 1-nearest neighbour: {percent(accuracy)}."
            lines.append(f"- **{protocol.title}**: {protocol.meaning}{baseline}")
    with st.expander("What the splits mean"):
        st.markdown("\n".join(lines))


session.enter()
main()
