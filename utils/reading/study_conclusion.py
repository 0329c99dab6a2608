"""The patient-level answer in words: headline, what it rests on, tumour volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from utils.reading.conclusion import INDETERMINATE
from utils.reading.study import NO_TUMOR, TUMOR, StudyAnswer, study_answer
from utils.reading.volumetry import TumorVolume, tumor_volume
from utils.wording import CLASS_TITLES, counted, probability_in_percent, value_with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from utils.reading.worklist import Entry
    from utils.records.study import StudyFusion

HELD_OUT, NEVER_SEEN = "held-out", "held-out, never seen"  # names of figures
TYPE_NOT_VALIDATED = "Nearly all of these tumours are gliomas: the type is not validated for stacks."


def study_headline(answer: StudyAnswer) -> str:
    """ "Tumour likely (97 %), favours glioma", without a full stop."""
    probability = probability_in_percent(answer.tumor_probability)
    if answer.kind == TUMOR:
        return f"Tumour likely ({probability}), favours {CLASS_TITLES[answer.favoured]}"
    if answer.kind == NO_TUMOR:
        return f"No tumour detected (probability of a tumour {probability})"
    return f"{INDETERMINATE}: probability of a tumour {probability}"


def study_basis(answer: StudyAnswer, fusion: StudyFusion) -> str:
    """What went into the answer, and how good such answers were on held-out patients."""
    words = (
        f"Patient-level answer from {counted(answer.slices, 'slice')} of {counted(answer.stacks, 'series', 'series')}: "
        "mean of the most suspicious quarter of the slices, calibrated on validation patients."
    )
    known = _tested(fusion, HELD_OUT, "On held-out patients of known collections")
    others = _tested(fusion, NEVER_SEEN, "On patients of collections never seen")
    return " ".join(filter(None, (words, known, others, TYPE_NOT_VALIDATED if known else "")))


def _tested(fusion: StudyFusion, name: str, beginning: str) -> str:
    """How well the answer detects tumours in a set of patients, as a sentence; "" where that was not measured."""
    if name not in fusion.figures:
        return ""
    figures = fusion.figures[name].fused
    auc = value_with_interval(figures.auc, figures.interval("auc"), 3, is_share=False)
    at = "sensitivity_at_95_specificity"
    sensitivity = value_with_interval(figures.figure(at), figures.interval(at), label="95 % CI ")
    return (
        f"{beginning} ({figures.tumors} with a tumour, {figures.healthy} without): sensitivity {sensitivity} at 95 % "
        f"specificity, AUC {auc}."
    )


def study_sentences(study: Sequence[Entry], stack: Entry, fusion: StudyFusion | None) -> tuple[str, ...]:
    """Answer and volume as sentences for a report on a stack of a study; none of a single image."""
    if not stack.slices:
        return ()
    answer = study_answer(study, fusion) if fusion else None
    sentences = (f"{study_headline(answer)}.", study_basis(answer, fusion)) if answer and fusion else ()
    has_outlines = stack.slices[0].segmentation is not None
    return (*sentences, *((volume_in_words(tumor_volume(stack), answer),) if has_outlines else ()))


def volume_in_words(volume: TumorVolume | None, answer: StudyAnswer | None) -> str:
    """Volume, longest diameter and place of the outlines as sentences, and whether they fit the answer."""
    if volume is None:
        return "Tumour volume unknown: pixel spacing or slice positions are unknown, or there is no segmentation."
    if not volume.slices:
        likely = answer is not None and answer.kind == TUMOR
        return "The suspected tumour could not be outlined." if likely else "No lesion outlined."
    words = (
        f"Outlined volume {volume.ml:.1f} ml on {counted(volume.slices, 'slice')} ({volume.distance:.1f} mm apart), "
        f"longest diameter in the plane {volume.diameter_mm:.0f} mm."
    )
    if volume.place:
        words += f" The widest outline is {volume.place}."
    if volume.largest_ml < 0.95 * volume.ml:
        words += f" Largest connected part {volume.largest_ml:.1f} ml."
    if volume.is_uneven:
        words += " The slices are not evenly spaced: the volume is a rough estimate."
    if answer is not None and answer.kind == NO_TUMOR:
        words += " The patient-level answer is no tumour: check the outlined area."
    return words
