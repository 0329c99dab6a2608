"""About: the facts about the models on one page. Use, accuracy, training data, known failures, versions, licences."""

import streamlit as st

from utils.app import model_facts, panels, session
from utils.app.evaluation_errors import gallery
from utils.datasets.protocols import PROTOCOLS
from utils.networks.cards import Card, NetworkUnavailable, check_weights, load_card
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.paths import models_folder
from utils.reports.words import LIMITS
from utils.results.records import Evaluation, read_evaluations
from utils.results.tables import answers_table, mistakes
from utils.results.titles import BASELINE_TITLES

MOST_IMAGES = 5  # misclassified scans of each network
READABLE = 960  # pixels: lines of text that are not too long


def main() -> None:
    st.header("Model facts")
    st.markdown(
        """
**Intended use.** Research and teaching: how two models classify brain MRI slices and detect a tumour in whole studies,
how accurate they are on held-out patients, and which parts of the image support the prediction. For people who can read
a brain MRI.

**Not a medical device.** Not for patient care, and not to exclude a tumour. Scans of children and scans after surgery
or radiotherapy were not tested as groups of their own.

**Input.** Single slices of brain MRI, or the slices of a series: T1, contrast-enhanced T1, T2 or FLAIR, in any plane.
Ages, scanners and field strengths of the training scans are unknown for nearly all patients.

**Output classes.** Glioma, meningioma, pituitary tumour, no tumour, with calibrated probabilities; "indeterminate"
where the models disagree or the probability is below the referral threshold. A stack also gets a patient-level answer:
tumour likely, no tumour detected or indeterminate. Every other finding (metastasis, haemorrhage, infarct, abscess) is
assigned to one of the four classes.
"""
    )
    cards, problems = _cards()
    for problem in problems:
        st.error(problem, icon=":material/error:")
    measured = [
        evaluation
        for evaluation in read_evaluations(models_folder() / "evaluation", PROTOCOLS.values())[0]
        if evaluation.model not in BASELINE_TITLES
    ]
    _accuracy(measured)
    _training_data(cards)
    _failures(measured)
    _models(cards, measured)
    _licences(cards)
    st.caption("Running on " + model_facts.software())


def _cards() -> tuple[list[Card], list[str]]:
    """The cards of the networks of the app, and what is wrong with the others."""
    segmentation = segmentation_weights()
    cards, problems = [], []
    for weights in (*reading_networks(), *([segmentation] if segmentation.is_file() else [])):
        try:
            card = load_card(weights)
            check_weights(card)
            cards.append(card)
        except NetworkUnavailable as error:
            problems.append(str(error))
    return cards, problems


def _accuracy(measured: list[Evaluation]) -> None:
    rows = answers_table(measured)
    if not rows:
        return
    st.subheader("Accuracy on new patients")
    panels.wide_table(rows, "Accuracy on new patients")
    st.caption(
        "95 % CI in brackets. Collections never seen, which the models of that row were trained without, show what to "
        "expect at another hospital. The Evaluation page has definitions, errors and calibration."
    )


def _training_data(cards: list[Card]) -> None:
    st.subheader("Training data")
    rows = model_facts.training_rows(cards[0]) if cards else []
    if not rows:
        st.markdown("The cards of the models do not list their training data.")
        return
    panels.wide_table(rows, "Training data")
    st.caption(
        f"Slices that {cards[0].title} learned from, without those for validation and test. People: in the whole "
        "collection. Splits keep each patient, and images that look alike, in one part."
    )


def _failures(measured: list[Evaluation]) -> None:
    st.subheader("Known failures")
    own = [
        "**Sequence.** In Nickparvar's collection nearly all tumours are T1 with contrast and nearly all healthy "
        "brains are T2 or FLAIR; the models can take the sequence for the diagnosis.",
        f"**Images that are not brain MRI** are hidden or marked, incompletely: {model_facts.detection_rate()}.",
        "**Turned slices.** Results on slices turned by a quarter or half turn are unreliable; most are marked.",
    ]
    st.markdown("\n".join(f"- {sentence}" for sentence in (*own, *LIMITS[1:4], LIMITS[5])))
    shown = [
        evaluation
        for evaluation in measured
        if evaluation.protocol.is_shipped and evaluation.predictions is not None
    ]
    for evaluation in shown:
        assert evaluation.predictions is not None
        table = mistakes(evaluation.predictions)
        if table.empty:
            continue
        if gallery(table, MOST_IMAGES):
            st.caption(f"Most confident errors of {evaluation.title} on held-out patients.")


def _models(cards: list[Card], measured: list[Evaluation]) -> None:
    st.subheader("Models")
    records = {
        evaluation.model: evaluation.record for evaluation in measured if evaluation.protocol.is_shipped
    }
    for card in cards:
        lines = [f"| {name} | {value} |" for name, value in model_facts.rows(card, records).items()]
        st.markdown("\n".join([f"| **{card.title}** | |", "| --- | --- |", *lines]))


def _licences(cards: list[Card]) -> None:
    st.subheader("Licences")
    st.markdown(
        "The program is licensed under the Apache License 2.0. The weights are not: they are for research and "
        "education only, as the terms of their training data demand; NOTICE names them."
    )
    for card in cards:
        with st.expander(f"Licence of the weights of {card.title}"):
            st.markdown(card.licence or "Not stated.")


session.enter()
with st.container(width=READABLE):
    main()
