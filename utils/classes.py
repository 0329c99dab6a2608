"""The four answers, how the interface words them, and how data sets spell them."""

from __future__ import annotations

import re

CLASSES = ("glioma", "meningioma", "no_tumor", "pituitary")
CLASS_TITLES = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "no_tumor": "no tumour",
    "pituitary": "pituitary tumour",
}
_SPELLINGS = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "pituitary": "pituitary",
    "no": "no_tumor",
    "none": "no_tumor",
    "normal": "no_tumor",
    "healthy": "no_tumor",
}


def class_of(folder: str) -> str | None:
    """The class that a name spells ("no_tumor", "notumor", "Pituitary Tumour", ...), else None."""
    word = re.sub(r"[^a-z]", "", folder.lower())
    return _SPELLINGS.get(re.sub(r"(tumou?rs?)$", "", word))
