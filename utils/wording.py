"""Titles of classes, percentages, values with their interval, counts and lists, as every page and report words them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

CLASS_TITLES = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "no_tumor": "no tumour",
    "pituitary": "pituitary tumour",
}
TARGET_TITLES = CLASS_TITLES | {"other_tumor": "tumour of another type"}
# What a reviewer can give as the correct label: the output classes, and what no model can answer
LABEL_TITLES = CLASS_TITLES | {
    "metastasis": "metastasis",
    "other_tumor": "other tumour",
    "other_abnormality": "other abnormality",
    "artefact": "artefact",
}
SEQUENCE_TITLES = {
    "T1": "T1",
    "T1C+": "T1 with contrast",
    "T2": "T2",
    "FLAIR": "FLAIR",
    "other": "another sequence",
}
NO_VALUE = "–"
MOST_DIGITS = 4  # of a percentage


def percent(share: float, digits: int = 0) -> str:
    """A share (0..1) in percent: "91 %"; with one digit "91.2 %". Only all is "100 %" and only none is "0 %"."""
    return f"{in_percent(share, digits)} %"


def in_percent(share: float, digits: int = 0) -> str:
    """`percent` without its sign. A share next to 0 or 1 gets more digits: 241 of 242 is "99.6", never "100"."""
    text = f"{100 * share:.{digits}f}"
    if 0 < share < 1 and float(text) in (0, 100) and digits < MOST_DIGITS:
        return in_percent(share, digits + 1)
    return text


def probability_in_percent(probability: float) -> str:
    """A probability (0..1) as whole percent that never claims certainty: "< 1 %", "97 %", "> 99 %"."""
    if probability > 0.99:
        return "> 99 %"
    return "< 1 %" if probability < 0.01 else percent(probability)


def value_with_interval(
    value: float | None,
    interval: Sequence[float] | None,
    digits: int = 1,
    is_share: bool = True,
    label: str = "",
) -> str:
    """ "91.2 % (88.4-93.6)"; without an interval "91.2 %", without a value NO_VALUE.

    value, interval (low, high): shares (0..1) where `is_share`, else numbers that are shown as they are. `label`
    stands before the limits: "95 % CI ".
    """
    if value is None:
        return NO_VALUE
    text = percent(value, digits) if is_share else f"{value:.{digits}f}"
    if interval is None:
        return text
    low, high = (in_percent(bound, digits) if is_share else f"{bound:.{digits}f}" for bound in interval)
    return f"{text} ({label}{low}-{high})"


def counted(count: int, noun: str, plural: str = "") -> str:
    """ "1 scan", "3 scans"; `plural` where it is not the noun with an s: counted(2, "study", "studies")."""
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def listed(words: Iterable[str], last: str = "and") -> str:
    """ "CNN", "CNN and VGG16", "CNN, VGG16 and U-Net"; `last` joins the last two."""
    *first, end = [*words] or [""]
    return f"{', '.join(first)} {last} {end}" if first else end


def titles_of(labels: Iterable[str]) -> str:
    """The titles of labels, each once: "glioma", "glioma or no tumour"."""
    return listed(dict.fromkeys(LABEL_TITLES[label] for label in labels), "or")


def class_with_probability(label: str, probability: float) -> str:
    """ "glioma, 97 %"."""
    return f"{CLASS_TITLES[label]}, {probability_in_percent(probability)}"


def sentence_case(text: str) -> str:
    """The text with its first letter in upper case; the others stay, unlike with `str.capitalize`."""
    return text[:1].upper() + text[1:]
