"""About: intended use, data, limits, versions."""

import importlib.metadata

import pandas as pd
import streamlit as st

from utils.app import session
from utils.datasets.protocols import shipped_protocol
from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card, NetworkUnavailable, check_weights, load_card
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.paths import models_folder
from utils.records.evaluation import EvaluationRecord
from utils.records.out_of_distribution import HEAD_CT
from utils.results.records import load_evaluations, load_out_of_distribution, load_outlines
from utils.results.track_record import outline_sentence
from utils.wording import TARGET_TITLES, percent, value_with_interval


def main() -> None:
    st.header("About this reader")
    st.markdown(
        """
**Intended use.** Research and teaching: how two models classify a brain MRI slice, how accurate they are on held-out
patients, and which parts of the image support the prediction. Not a medical device; not for use in patient care.

**Output classes.** Glioma, meningioma, pituitary tumour, no tumour. Every other finding (metastasis, haemorrhage,
infarct, abscess) is assigned to one of these four classes.

**Training data.** Up to three collections (see the training data of each model): "Brain Tumor MRI Dataset"
(M. Nickparvar, Kaggle), which contains the slices of Cheng et al. (figshare 2015, CC BY 4.0), 233 patients from two
Chinese hospitals, and healthy brains from the web; "Brain Tumor MRI Images 44 Classes" (F. Feltrin, Kaggle), T1, T1
with contrast and T2; and lower-grade gliomas of the Cancer Genome Atlas (M. Buda, Kaggle, CC BY-NC-SA 4.0), FLAIR. Age,
sex, scanner and field strength are unknown for nearly all patients.
"""
    )
    _limits()
    _versions()


def _limits() -> None:
    st.subheader("Limitations")
    st.markdown(
        f"""
- **Confounding by sequence.** In Nickparvar's collection nearly all tumours are T1 with contrast and nearly all healthy
  brains are T2 or FLAIR. Models trained on it alone are unreliable on other sequences, above all when they predict
  no tumour. The Evaluation page shows external tests.
- **Detection of images that are not brain MRI is incomplete.** Predictions on out-of-distribution images are hidden or
  marked; {_detection_rate()}.
- **Single slices.** Each image is analysed alone, without volume, clinical history or other sequences.
- **Saliency maps** (Grad-CAM) show what the model used, in steps of 1/14 of the image. They do not delineate tumours.
- **Probabilities** are calibrated on the same collections; they can be overconfident on scans from elsewhere.
- **Left and right** are not distinguished: training images are mirrored at random.
"""
    )


def _detection_rate() -> str:
    """The share of images that are not brain MRI that the out-of-distribution detector flags, in words."""
    record = load_out_of_distribution(models_folder())
    if record is None:
        return "the detection rate was not measured for these models"
    every, head = record.not_brain_mri, record.groups[HEAD_CT]
    return (
        f"{percent(every.marked)} of {every.n:,} such images were, but only {percent(head.marked)} of head CT"
    )


def _versions() -> None:
    st.subheader("Models")
    measured = {
        evaluation.model: evaluation.record
        for evaluation in load_evaluations(models_folder() / "evaluation", shipped_protocol())
    }
    segmentation = segmentation_weights()
    for weights in (*reading_networks(), *([segmentation] if segmentation.is_file() else [])):
        try:
            card = load_card(weights)
            check_weights(card)
        except NetworkUnavailable as error:
            st.error(str(error), icon=":material/error:")
            continue
        rows = {
            **(_outline_rows(card) if card.task == SEGMENTATION else _classifier_rows(card, measured)),
            "Trained": f"{card.date or '?'}, protocol {card.protocol or '?'}",
            "Parameters": f"{card.parameters:,}",
            "Weights (SHA-256)": f"`{card.version}`",
            "Licence of the weights": card.licence or "?",
        }
        lines = [f"| {name} | {value} |" for name, value in rows.items()]
        st.markdown("\n".join([f"| **{card.title}** | |", "| --- | --- |", *lines]))
        training = pd.DataFrame([row.model_dump() for row in card.training_data])
        if not training.empty:
            with st.expander(f"Training data of {card.title}"):
                training["target"] = training["target"].map(TARGET_TITLES)
                st.dataframe(training, hide_index=True)
    packages = (
        "streamlit",
        "openvino",
        "tensorflow",
        "keras",
        "tf-keras-vis",
        "opencv-python-headless",
        "numpy",
    )
    st.caption(
        "Running on " + ", ".join(f"{name} {version}" for name, version in map(_version, packages) if version)
    )


def _classifier_rows(card: Card, measured: dict[str, EvaluationRecord]) -> dict[str, str]:
    """The facts about a classifier; measured: network -> record on held-out patients."""
    record, accuracy = measured.get(card.name), "not measured yet"
    if record:
        words = value_with_interval(record.accuracy, record.accuracy_interval)
        accuracy = f"{words} on {record.n} scans"
    return {
        "Accuracy on held-out patients": accuracy,
        "Evidence layer": card.evidence_layer,
        "Temperature": f"{card.temperature:.2f}",
    }


def _outline_rows(card: Card) -> dict[str, str]:
    """The facts about a segmentation network."""
    record = load_outlines(models_folder() / "evaluation", card.name, shipped_protocol().name)
    fits = record is not None and record.weights_sha256 == card.version
    return {"Outlines": outline_sentence(record if fits else None)}


def _version(package: str) -> tuple[str, str]:
    names = (package, f"{package}-cpu")
    for name in names:
        try:
            return package, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return package, ""


session.enter()
main()
