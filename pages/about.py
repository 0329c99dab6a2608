"""About: intended use, data, limits, versions."""

import importlib.metadata

import pandas as pd
import streamlit as st

from utils.app import session
from utils.datasets.protocols import PROTOCOLS, shipped_protocol
from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card, NetworkUnavailable, check_weights, load_card
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.paths import models_folder
from utils.records.evaluation import EvaluationRecord
from utils.records.out_of_distribution import HEAD_CT
from utils.results.records import load_evaluations, load_out_of_distribution, load_outlines
from utils.results.track_record import outline_sentence
from utils.wording import TARGET_TITLES, value_with_interval


def main() -> None:
    st.header("About this reader")
    st.markdown(
        """
**What it is for.** Research and teaching: to see what two networks make of a brain MRI slice, how often they are
right about patients they have never seen, and where in the picture their evidence lies. It is no medical device, and
nothing in it is meant to guide the care of a patient.

**What it answers.** One of four: glioma, meningioma, pituitary tumour, no tumour. Nothing else exists for it: a
metastasis, a bleed, an infarct or an abscess will be given one of these four names.

**What it learned from.** Up to three collections (the licence of each network names its own): "Brain Tumor MRI Dataset"
(M. Nickparvar, Kaggle), which holds the slices of Cheng et al. (figshare 2015, CC BY 4.0), 233 patients from two
Chinese hospitals, and healthy brains from the web; "Brain Tumor MRI Images 44 Classes" (F. Feltrin, Kaggle), T1, T1
with contrast and T2; and lower-grade gliomas of the Cancer Genome Atlas (M. Buda, Kaggle, CC BY-NC-SA 4.0), FLAIR. Age,
sex, scanner and field strength of nearly all patients are not known.
"""
    )
    _limits()
    _versions()


def _limits() -> None:
    st.subheader("Limits to know before trusting an answer")
    st.markdown(
        f"""
- **Sequence is a shortcut.** In Nickparvar's collection nearly all tumours are T1 with contrast, nearly all healthy
  brains T2 or FLAIR. A network that learned from it alone says little about other sequences, above all when it says
  "no tumour"; Evaluation tells how far each holds on other sources.
- **Not all that is no brain MRI is noticed.** Answers on pictures unlike the scans it knows are hidden or marked;
  {_how_often_noticed()}.
- **One slice at a time.** It sees a single picture, no volume, no history and no other sequence.
- **Evidence maps** (Grad-CAM) tell what the network used, in steps of 1/14 of the picture; they outline no tumour.
- **Probabilities** are calibrated on the same collections; scans from elsewhere can make them overconfident.
- **Left and right** are not told: the training pictures stand mirrored at random.
"""
    )


def _how_often_noticed() -> str:
    """What `benchmarks.accuracy.out_of_distribution` measured of these networks, in words."""
    record = load_out_of_distribution(models_folder())
    if record is None:
        return "how often was not measured for these networks"
    every, head = record.not_brain_mri, record.groups[HEAD_CT]
    return (
        f"of {every.n:,} pictures that are none {100 * every.marked:.0f} % were, "
        f"but of head CT only {100 * head.marked:.0f} %"
    )


def _versions() -> None:
    st.subheader("Networks")
    measured = {
        evaluation.model: evaluation.record
        for evaluation in load_evaluations(models_folder() / "evaluation", PROTOCOLS.values())
        if evaluation.protocol.is_shipped
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
            **(_outlines_in_words(card) if card.task == SEGMENTATION else _answers_in_words(card, measured)),
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
    packages = ("streamlit", "tensorflow", "keras", "tf-keras-vis", "opencv-python-headless", "numpy")
    st.caption(
        "Running on " + ", ".join(f"{name} {version}" for name, version in map(_version, packages) if version)
    )


def _answers_in_words(card: Card, measured: dict[str, EvaluationRecord]) -> dict[str, str]:
    """What a network that names a class is told by; measured: network -> record on held-out patients."""
    record, accuracy = measured.get(card.name), "not measured yet"
    if record:
        words = value_with_interval(record.accuracy, record.accuracy_interval)
        accuracy = f"{words} on {record.n} scans"
    return {
        "Accuracy on held-out patients": accuracy,
        "Evidence layer": card.evidence_layer,
        "Temperature": f"{card.temperature:.2f}",
    }


def _outlines_in_words(card: Card) -> dict[str, str]:
    """The same of a network that draws outlines."""
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
