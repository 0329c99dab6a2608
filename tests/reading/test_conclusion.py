"""The headline and remarks that follow from the readings of one scan."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from utils.classes import CLASSES
from utils.reading.conclusion import (
    INDETERMINATE,
    Conclusion,
    Referral,
    conclude,
    ensemble_probability,
    reading_in_words,
    tumor_likely,
)
from utils.reading.worklist import Entry


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
    assert conclude(entry_of(CNN, VGG16), Referral()) == Conclusion("Glioma (concordant)")
    pituitary = Conclusion("Pituitary tumour (concordant)")
    assert conclude(entry_of(*[reading_of(name, "pituitary", 0.9) for name in "AB"]), Referral()) == pituitary


def test_a_single_model() -> None:
    assert conclude(entry_of(CNN), Referral()) == Conclusion("CNN: glioma")


def test_discordant_models() -> None:
    conclusion = conclude(entry_of(CNN, reading_of("VGG16", "no_tumor", 0.7)), Referral())
    assert conclusion == Conclusion(INDETERMINATE, ("Discordant: CNN: glioma, VGG16: no tumour.",))
    assert conclusion.is_indeterminate


@pytest.mark.parametrize(
    ("referral", "remark"),
    [
        (Referral(), "Low confidence: VGG16 below its referral threshold."),
        (Referral(0.95), "Mean predicted probability 53 %, below the referral threshold of 95.0 %."),
        (
            Referral(0.95, 0.981),
            "Mean predicted probability 53 %, below the referral threshold of 95.0 % (98 % accuracy on validation when "
            "models agree).",
        ),
        (
            Referral(0.95, 0.981, is_custom=True),
            "Mean predicted probability 53 %, below the custom threshold of 95.0 %.",
        ),
    ],
)
def test_low_confidence(referral, remark) -> None:
    conclusion = conclude(entry_of(CNN, UNSURE), referral)
    assert conclusion == Conclusion("Indeterminate; favours glioma", (remark,))


def test_both_models_below_their_thresholds_and_discordant() -> None:
    readings = [
        reading_of("CNN", "glioma", 0.4, ("unsure",)),
        reading_of("VGG16", "pituitary", 0.4, ("unsure",)),
    ]
    discordant, low = conclude(entry_of(*readings), Referral()).remarks
    assert discordant.startswith("Discordant") and "CNN and VGG16 below their referral threshold" in low


def test_tumor_likely_needs_every_model_above_its_threshold() -> None:
    words = tumor_likely((CNN, VGG16), {"cnn": 0.8, "vgg16": 0.9})
    assert words.startswith(
        "Tumour likely; type indeterminate (probability of any tumour: CNN 97 %, VGG16 93 %"
    )
    assert "95 % specificity" in words
    assert tumor_likely((CNN, VGG16), {"cnn": 0.8, "vgg16": 0.95}) == ""
    assert tumor_likely((CNN, VGG16), {"cnn": 0.8}) == ""


def test_a_reading_in_words() -> None:
    assert reading_in_words(CNN) == "glioma, 90 %"
    assert ensemble_probability(entry_of(CNN, VGG16)) == "Mean predicted probability 85 %"
