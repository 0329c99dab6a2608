"""What the readings of one scan amount to, in words: the headline and remarks of the Read page and of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.evidence.location import place_in_body
from utils.evidence.outlines import largest_part, sizes_in_words
from utils.evidence.regions import describe
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

    thresholds: class -> ensemble probability (0..1) that concordant models must reach; None where each model has its
    own threshold. accuracy: that of concordant readings above it on validation scans (0..1); None where it is not
    known. is_custom: the user chose the threshold. site_profile: title of the profile that answers follow, "" without.
    """

    thresholds: Mapping[str, float] | None = None
    accuracy: float | None = None
    is_custom: bool = False
    site_profile: str = ""


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
        return Conclusion(
            f"{INDETERMINATE}: the models disagree", (f"Discordant: {_all_classes(entry)}.", *remarks)
        )
    title = CLASS_TITLES[entry.readings[0].label]
    if uncertain:
        return Conclusion(f"{INDETERMINATE}: favours {title}", remarks)
    if len(entry.readings) == 1:
        return Conclusion(_classes(entry.readings))
    agree = "both models agree" if len(entry.readings) == 2 else "all models agree"
    return Conclusion(f"{sentence_case(title)}, {agree} ({probability_in_percent(entry.confidence)})")


def ensemble_probability(entry: Entry) -> str:
    """ "Ensemble probability 53 %"; of networks without an ensemble "Mean predicted probability 53 %"."""
    kind = "Ensemble" if entry.joint else "Mean predicted"
    return f"{kind} probability {probability_in_percent(entry.confidence)}"


def tumor_likely(entry: Entry, thresholds: Mapping[str, float | None]) -> str:
    """A sentence where every network detects a tumour, of whatever type, and the ensemble does not deny it; else empty.

    thresholds: name of the network -> its threshold of the probability of any tumour, None where it has none.
    """
    for reading in entry.readings:
        threshold = thresholds.get(reading.network)
        if threshold is None or 1 - reading.probability("no_tumor") < threshold:
            return ""
    if entry.joint is not None and entry.joint.label == "no_tumor":
        return ""
    return (
        f"Tumour likely; type indeterminate (probability of any tumour: {tumor_in_words(entry)}; thresholds at "
        f"{percent(SPECIFICITY)} specificity on validation)."
    )


def tumor_in_words(entry: Entry) -> str:
    """The probability of any tumour by each model: "CNN 97 %, VGG16 95 %, ensemble 98 %"."""
    shown = {reading.title: 1 - reading.probability("no_tumor") for reading in entry.readings}
    if entry.joint is not None:
        shown["ensemble"] = entry.joint.tumor_probability
    return ", ".join(f"{title} {probability_in_percent(probability)}" for title, probability in shown.items())


def lesion_in_words(entry: Entry, is_likely: bool = False) -> str:
    """Size and place of the outlined lesion, and whether that fits the predicted classes; empty without segmentation.

    The place is that in the body where the file knows the orientation, else that on the image.
    is_likely: a tumour is likely although its type is indeterminate.
    """
    outline = entry.segmentation.outline if entry.segmentation else None
    if outline is None or entry.scan is None:
        return ""
    no_tumor = entry.is_concordant and entry.readings[0].label == "no_tumor"
    if outline.is_empty:
        if is_likely or (entry.is_concordant and not no_tumor):
            return "The suspected tumour could not be outlined: its size and location are not known."
        return "No lesion outlined."
    part = largest_part(outline.mask)
    place = place_in_body(part, entry.scan) or describe(part, entry.scan).place
    words = f"Outlined lesion: {sizes_in_words(outline.sizes)}; {place}."
    if no_tumor:
        words += " The models predict no tumour: check the outlined area."
    return words


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
    if referral.thresholds is None:
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
    threshold = percent(referral.thresholds[entry.label], 1)
    return f"{ensemble_probability(entry)}, below the {kind} threshold of {threshold}{basis}."
