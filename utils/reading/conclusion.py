"""What the readings of one scan amount to, in words: the headline and remarks of the Read page and of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.metrics.detection import SPECIFICITY
from utils.wording import (
    CLASS_TITLES,
    class_with_probability,
    listed,
    percent,
    probability_in_percent,
    sentence_case,
)

if TYPE_CHECKING:
    from utils.reading.reader import Reading
    from utils.reading.worklist import Entry

INDETERMINATE = "Indeterminate - review manually"


@dataclass(frozen=True)
class Referral:
    """The rule by which a scan is referred to a person.

    threshold: ensemble probability (0..1) that concordant models must reach; None where each model has its own
    threshold. accuracy: that of concordant readings above the threshold on validation scans (0..1); None where it is
    not known. is_custom: the user chose the threshold.
    """

    threshold: float | None = None
    accuracy: float | None = None
    is_custom: bool = False


@dataclass(frozen=True)
class Conclusion:
    """`headline` has no full stop; `remarks` are sentences, empty where the headline needs no caution."""

    headline: str
    remarks: tuple[str, ...] = ()

    @property
    def is_indeterminate(self) -> bool:
        return bool(self.remarks)


def conclude(entry: Entry, referral: Referral) -> Conclusion:
    """The conclusion from the readings of an entry, which must have some; its grade is not taken into account."""
    uncertain = [reading for reading in entry.readings if "unsure" in reading.flags]
    remarks = (_low_confidence(entry, uncertain, referral),) if uncertain else ()
    if not entry.is_concordant:
        return Conclusion(INDETERMINATE, (f"Discordant: {_all_classes(entry)}.", *remarks))
    title = CLASS_TITLES[entry.readings[0].label]
    if uncertain:
        return Conclusion(f"Indeterminate; favours {title}", remarks)
    if len(entry.readings) == 1:
        return Conclusion(_classes(entry.readings))
    return Conclusion(f"{sentence_case(title)} (concordant)")


def ensemble_probability(entry: Entry) -> str:
    """ "Ensemble probability 53 %"; of networks without an ensemble "Mean predicted probability 53 %"."""
    kind = "Ensemble" if entry.joint else "Mean predicted"
    return f"{kind} probability {probability_in_percent(entry.confidence)}"


def tumor_likely(readings: Sequence[Reading], thresholds: Mapping[str, float | None]) -> str:
    """A sentence where every network detects a tumour, of whatever type; else empty.

    thresholds: name of the network -> its threshold of the probability of any tumour, None where it has none.
    """
    probabilities = []
    for reading in readings:
        threshold, tumor = thresholds.get(reading.network), 1 - reading.probability("no_tumor")
        if threshold is None or tumor < threshold:
            return ""
        probabilities.append(f"{reading.title} {probability_in_percent(tumor)}")
    return (
        f"Tumour likely; type indeterminate (probability of any tumour: {', '.join(probabilities)}; thresholds at "
        f"{percent(SPECIFICITY)} specificity on validation)."
    )


def reading_in_words(reading: Reading) -> str:
    """The class of a reading with its calibrated probability: "glioma, 97 %"."""
    return class_with_probability(reading.label, reading.confidence)


def _classes(readings: Sequence[Reading]) -> str:
    return ", ".join(f"{reading.title}: {CLASS_TITLES[reading.label]}" for reading in readings)


def _all_classes(entry: Entry) -> str:
    """The classes of the classifiers, and that of the ensemble where it differs from all of theirs."""
    joint = entry.joint
    if joint is None or joint.label in {reading.label for reading in entry.readings}:
        return _classes(entry.readings)
    return f"{_classes(entry.readings)}, ensemble: {CLASS_TITLES[joint.label]}"


def _low_confidence(entry: Entry, uncertain: Sequence[Reading], referral: Referral) -> str:
    """Why the confidence is too low, as a sentence."""
    if referral.threshold is None:
        names = listed(reading.title for reading in uncertain)
        return (
            f"Low confidence: {names} below {'its' if len(uncertain) == 1 else 'their'} referral threshold."
        )
    kind = "custom" if referral.is_custom else "referral"
    basis = (
        ""
        if referral.is_custom or referral.accuracy is None
        else f" ({percent(referral.accuracy)} accuracy on validation when models agree)"
    )
    return f"{ensemble_probability(entry)}, below the {kind} threshold of {percent(referral.threshold, 1)}{basis}."
