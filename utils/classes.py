"""The four output classes, MRI sequences and planes, and how data sets spell them. Titles: utils.wording."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
TUMORS = ("glioma", "meningioma", "pituitary")
OTHER_TUMOR = "other_tumor"  # a target, never an answer: a tumour of a type that the networks cannot name
T1, CONTRAST, T2, FLAIR = "T1", "T1C+", "T2", "FLAIR"
SEQUENCES = (T1, CONTRAST, T2, FLAIR)  # those that the networks were trained on
OTHER_SEQUENCE = "other"
PLANES = ("axial", "coronal", "sagittal")
_SPELLINGS = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "pituitary": "pituitary",
    "no": "no_tumor",
    "none": "no_tumor",
    "normal": "no_tumor",
    "healthy": "no_tumor",
    # Feltrin's 44 folders, in Portuguese
    "astrocitoma": "glioma",
    "oligodendroglioma": "glioma",
    "glioblastoma": "glioma",
    "ependimoma": "glioma",
    "ganglioglioma": "glioma",
    "carcinoma": OTHER_TUMOR,
    "germinoma": OTHER_TUMOR,
    "granuloma": OTHER_TUMOR,
    "meduloblastoma": OTHER_TUMOR,
    "neurocitoma": OTHER_TUMOR,
    "papiloma": OTHER_TUMOR,
    "schwannoma": OTHER_TUMOR,
    "tuberculoma": OTHER_TUMOR,
}
_MANIFEST_LABELS = {
    "no_tumor_in_slice": "no_tumor",  # of a patient with a tumour
    "other_tumor": OTHER_TUMOR,
    "tumor_type_unknown": OTHER_TUMOR,
}
_SEQUENCE = re.compile(r"[ _](T1C\+|T1|T2|FLAIR)$", re.IGNORECASE)


def class_of(folder: str) -> str | None:
    """The class that a name spells ("no_tumor", "Gliomas", "Pituitary Tumour", "Astrocitoma T1C+", ...), else None.

    Types that the networks cannot name are OTHER_TUMOR.
    """
    word = re.sub(r"[^a-z]", "", _SEQUENCE.sub("", folder).lower())
    word = re.sub(r"(tumou?rs?)$", "", word)
    return _SPELLINGS.get(word) or (_SPELLINGS.get(word.removesuffix("s")) if len(word) > 5 else None)


def class_of_label(label: str) -> str | None:
    """The class of a label in a manifest: what `class_of` takes, and labels that no class folder has."""
    return _MANIFEST_LABELS.get(label) or class_of(label)


def sequence_of(folder: str) -> str:
    """The MRI sequence that a folder's name ends with ("Astrocitoma T1C+" -> "T1C+"), else ""."""
    match = _SEQUENCE.search(folder)
    return match.group(1).upper() if match else ""


def right_answers(targets: Iterable[str], classes: Sequence[str] = CLASSES) -> np.ndarray:
    """(N, C) float32: 1 for every answer that is right about a target; any tumour class is about OTHER_TUMOR."""
    tumours = [float(name != "no_tumor") for name in classes]
    return np.asarray(
        [
            tumours if target == OTHER_TUMOR else [float(name == target) for name in classes]
            for target in targets
        ],
        np.float32,
    ).reshape(-1, len(classes))
