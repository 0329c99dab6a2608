"""Sequence and plane of a scan, from its file or its image, and of a study, in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.mr_series import AXIAL, SAGITTAL
from utils.classes import CONTRAST, FLAIR, OTHER_SEQUENCE, PLANES, SEQUENCES, T1, T2
from utils.evidence.outlines import OperatingPoint, outline
from utils.paths import REPOSITORY
from utils.reading.acquisition import Acquisition, recognition_trust, sequences_of_study, study_in_words
from utils.reading.segmenter import Segmentation
from utils.reading.sequences import Recognition
from utils.reading.worklist import Entry
from utils.records.sequences import ContrastFigures
from utils.results.records import load_sequences
from utils.scans.preprocessing import preprocess
from utils.scans.scan import Scan

PIXELS = np.zeros((40, 40), np.float32)


def segmentation(sequence: str, plane: str, grade: str = "ok", certainty: float = 0.9) -> Segmentation:
    nothing = outline(np.zeros((40, 40)), preprocess(PIXELS, 40)[1], OperatingPoint(0.5, 0.9))
    rest = (1 - certainty) / 3
    recognition = Recognition(
        np.where(np.asarray(SEQUENCES) == sequence, certainty, rest),
        np.where(np.asarray(PLANES) == plane, 0.9, 0.05),
        0.7,
        0.7,
    )
    return Segmentation(nothing, 0.1, grade, recognition)


def entry(sequence: str = "", orientation: tuple[float, ...] = (), **facts: object) -> Entry:
    scan = Scan("a", PIXELS, "DICOM", sequence=sequence, orientation=orientation)
    return Entry("key", "a", scan, **facts)  # type: ignore[arg-type]


def test_the_file_counts_before_the_image() -> None:
    known = entry(T2, SAGITTAL, segmentation=segmentation(T1, "axial")).acquisition
    assert known == Acquisition(T2, "sagittal", "file", "file")
    assert known.in_words == "T2, sagittal (from the file)"


def test_the_image_tells_what_the_file_does_not() -> None:
    known = entry("", AXIAL, segmentation=segmentation(CONTRAST, "coronal")).acquisition
    assert known == Acquisition(CONTRAST, "axial", "image", "file")
    assert known.in_words == "T1 with contrast (recognised from the image), axial (from the file)"
    assert entry(segmentation=segmentation(CONTRAST, "coronal")).acquisition.in_words == (
        "T1 with contrast, coronal (recognised from the image)"
    )


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (entry(), "Sequence and plane not recognised"),
        (entry(orientation=AXIAL), "Sequence not recognised; axial (from the file)"),
        (entry(FLAIR), "FLAIR (from the file), plane not recognised"),
        (
            entry(OTHER_SEQUENCE, AXIAL),
            "Another sequence, axial (from the file); the models were not trained on this sequence",
        ),
        (
            entry(segmentation=segmentation(T1, "axial", certainty=0.5)),
            "Sequence not recognised; axial (recognised from the image)",
        ),
        (Entry("key", "broken", None, reason="damaged"), "Sequence and plane not recognised"),
    ],
)
def test_words(shown: Entry, words: str) -> None:
    assert shown.acquisition.in_words == words


def test_nothing_is_recognised_on_what_is_no_brain_mri() -> None:
    assert entry(segmentation=segmentation(T1, "axial", "refused")).acquisition == Acquisition()


def test_slices_of_a_volume_decide_together() -> None:
    slices = tuple(
        entry(segmentation=segmentation(name, "axial"), slice_count=5)
        for name in (T1, FLAIR, FLAIR, FLAIR, FLAIR)
    )
    assert replace(slices[0], slices=slices).acquisition.sequence == FLAIR
    assert slices[0].acquisition.sequence == T1


def test_a_study_names_what_is_missing() -> None:
    study = sequences_of_study(
        [entry(FLAIR), entry(T1), entry(OTHER_SEQUENCE), Entry("k", "b", None, reason="no")]
    )
    assert (study.seen, study.missing, study.other, study.unknown) == ((T1, FLAIR), (CONTRAST, T2), 1, 0)
    figures = ContrastFigures(
        n=100,
        n_with_contrast=40,
        without=0.58,
        without_interval=(0.5, 0.66),
        with_contrast=0.8,
        with_contrast_interval=(0.72, 0.88),
    )
    seen, without = study_in_words(study, figures)
    assert seen == "Sequences: T1 and FLAIR. Missing: T1 with contrast and T2."
    assert without == (
        "No contrast-enhanced T1: meningioma and glioma are distinguished less accurately (mean of both sensitivities "
        "on held-out patients 58 % (95 % CI 50-66) without contrast, 80 % (95 % CI 72-88) with)."
    )
    assert study_in_words(study)[1].endswith("less accurately.")


def test_nothing_is_missing_while_a_series_is_not_recognised() -> None:
    assert study_in_words(sequences_of_study([entry(T1), entry()])) == (
        "Sequences: T1; 1 series not recognised.",
    )


def test_trust_in_a_recognised_sequence_comes_from_the_stored_record() -> None:
    record = load_sequences(REPOSITORY / "models")
    assert record is not None
    words = recognition_trust(record)
    assert f"{100 * record.sequence.all.accuracy:.0f} % (95 % CI " in words
    assert "; on collections never seen " in words


def test_a_complete_study() -> None:
    study = sequences_of_study([entry(name) for name in (T2, T1, FLAIR, CONTRAST)])
    assert study_in_words(study) == ("Sequences: T1, T1 with contrast, T2 and FLAIR.",)
