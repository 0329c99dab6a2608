"""The headline and remarks that follow from the readings of one scan."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from utils.classes import CLASSES
from utils.reading.conclusion import (
    INDETERMINATE,
    Conclusion,
    Referral,
    conclude,
    ensemble_probability,
    lesion_in_words,
    reading_in_words,
    tumor_in_words,
    tumor_likely,
)
from utils.reading.worklist import Entry
from utils.scans.scan import Scan


def reading_of(title: str, label: str, probability: float, flags: tuple[str, ...] = ()) -> Any:
    rest = (1 - probability) / (len(CLASSES) - 1)
    return SimpleNamespace(
        network=title.lower(), title=title, label=label, confidence=probability, flags=flags, grade="ok",
        probability=lambda name: probability if name == label else rest,
    )  # fmt: skip


def entry_of(*readings: Any) -> Entry:
    return Entry("key", "a.png", None, readings)


CNN, VGG16 = reading_of("CNN", "glioma", 0.9), reading_of("VGG16", "glioma", 0.8)
UNSURE = reading_of("VGG16", "glioma", 0.16, ("unsure",))


def test_concordant_models() -> None:
    assert conclude(entry_of(CNN, VGG16), Referral()) == Conclusion("Glioma, both models agree (85 %)")
    pituitary = Conclusion("Pituitary tumour, both models agree (90 %)")
    assert conclude(entry_of(*[reading_of(name, "pituitary", 0.9) for name in "AB"]), Referral()) == pituitary


def test_a_single_model() -> None:
    assert conclude(entry_of(CNN), Referral()) == Conclusion("CNN: glioma")


def test_discordant_models() -> None:
    conclusion = conclude(entry_of(CNN, reading_of("VGG16", "no_tumor", 0.7)), Referral())
    assert conclusion == Conclusion(
        f"{INDETERMINATE}: the models disagree", ("Discordant: CNN: glioma, VGG16: no tumour.",)
    )
    assert conclusion.is_indeterminate


@pytest.mark.parametrize(
    ("referral", "remark"),
    [
        (Referral(), "Low confidence: VGG16 below its referral threshold."),
        (
            Referral({"glioma": 0.95, "no_tumor": 0.8}),
            "Mean predicted probability 53 %, below the referral threshold of 95.0 %.",
        ),
        (
            Referral({"glioma": 0.95, "no_tumor": 0.8}, 0.981),
            "Mean predicted probability 53 %, below the referral threshold of 95.0 % (98 % accuracy on validation when "
            "models agree).",
        ),
        (
            Referral({"glioma": 0.95, "no_tumor": 0.8}, 0.981, is_custom=True),
            "Mean predicted probability 53 %, below the custom threshold of 95.0 %.",
        ),
    ],
)
def test_low_confidence(referral, remark) -> None:
    conclusion = conclude(entry_of(CNN, UNSURE), referral)
    assert conclusion == Conclusion(f"{INDETERMINATE}: favours glioma", (remark,))


def test_both_models_below_their_thresholds_and_discordant() -> None:
    readings = [
        reading_of("CNN", "glioma", 0.4, ("unsure",)),
        reading_of("VGG16", "pituitary", 0.4, ("unsure",)),
    ]
    discordant, low = conclude(entry_of(*readings), Referral()).remarks
    assert discordant.startswith("Discordant") and "CNN and VGG16 below their referral threshold" in low


def test_tumor_likely_needs_every_model_above_its_threshold() -> None:
    words = tumor_likely(entry_of(CNN, VGG16), {"cnn": 0.8, "vgg16": 0.9})
    assert words.startswith(
        "Tumour likely; type indeterminate (probability of any tumour: CNN 97 %, VGG16 93 %"
    )
    assert "95 % specificity" in words
    assert tumor_likely(entry_of(CNN, VGG16), {"cnn": 0.8, "vgg16": 0.95}) == ""
    assert tumor_likely(entry_of(CNN, VGG16), {"cnn": 0.8}) == ""


def test_a_reading_in_words() -> None:
    assert reading_in_words(CNN) == "glioma, 90 %"
    assert ensemble_probability(entry_of(CNN, VGG16)) == "Mean predicted probability 85 %"


def lesion(*points: tuple[int, int]) -> Any:
    mask = np.zeros((90, 90), bool)
    for row, column in points:
        mask[row - 4 : row + 5, column - 4 : column + 5] = True
    sizes = {"area": int(mask.sum()), "diameter": 12.7, "area_mm2": None, "diameter_mm": None}
    outline = SimpleNamespace(mask=mask, is_empty=not mask.any(), sizes=sizes)
    return SimpleNamespace(outline=outline, grade="ok", tumor_score=0.5)


def segmented(segmentation: Any, *readings: Any) -> Entry:
    scan = Scan("a.png", np.ones((90, 90), np.float32), "PNG")
    return Entry("key", "a.png", scan, readings, segmentation=segmentation)


def test_outline_and_prediction_never_contradict_each_other_silently() -> None:
    healthy = [reading_of(name, "no_tumor", 0.9) for name in ("CNN", "VGG16")]
    assert lesion_in_words(segmented(lesion(), *healthy)) == "No lesion outlined."
    assert "could not be outlined" in lesion_in_words(segmented(lesion(), CNN, VGG16))
    apart = (CNN, reading_of("VGG16", "meningioma", 0.9))
    assert lesion_in_words(segmented(lesion(), *apart)) == "No lesion outlined."
    assert "could not be outlined" in lesion_in_words(segmented(lesion(), *apart), is_likely=True)
    words = lesion_in_words(segmented(lesion((10, 10)), CNN, VGG16))
    assert words == "Outlined lesion: 81 pixels, longest diameter 13 pixels; upper left of the image."
    assert "predict no tumour: check" in lesion_in_words(segmented(lesion((10, 10)), *healthy))
    assert lesion_in_words(entry_of(CNN, VGG16)) == ""


def test_lesion_has_a_side_only_where_the_file_knows_the_orientation() -> None:
    pixels = np.zeros((90, 90), np.float32)
    pixels[5:85, 10:80] = 0.5
    for orientation, place in (
        ((1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "on the patient's right, anterior"),
        ((-1.0, 0.0, 0.0, 0.0, -1.0, 0.0), "on the patient's left, posterior"),
        ((), "upper left of the image"),
    ):
        entry = segmented(lesion((20, 25)), CNN, VGG16)
        scan = Scan("a.dcm", pixels, "DICOM", orientation=orientation)
        assert lesion_in_words(replace(entry, scan=scan)).endswith(f"; {place}.")


def test_tumour_is_not_likely_where_the_ensemble_denies_it() -> None:
    thresholds = {"cnn": 0.5, "vgg16": 0.5}
    assert tumor_likely(entry_of(CNN, VGG16), thresholds)
    joint: Any = SimpleNamespace(label="no_tumor", tumor_probability=0.3)
    denied = replace(entry_of(CNN, VGG16), joint=joint)
    assert tumor_likely(denied, thresholds) == "" and "ensemble 30 %" in tumor_in_words(denied)
