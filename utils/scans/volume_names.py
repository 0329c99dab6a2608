"""Names of files that hold volumes of one examination: they differ by the sequence alone."""

from __future__ import annotations

import re

SEQUENCE = re.compile(r"t[12](?:w|n|f|c|ce|gd|gad|km|post|pre|wce)?|t2star|flair|mprage|pd|dwi|adc|swi")
DETAIL = re.compile(r"pre|post|ce|gd|gad|km|contrast|3d|ax|axial|tra|cor|coronal|sag|sagittal")


def without_sequence(name: str) -> str | None:
    """What is left of a file's name without its suffix, sequence and plane; None where it has no sequence.

    "patient7_T1ce.nii.gz" and "patient7-flair.nii" leave the same.
    """
    words = re.findall(r"[^\W_]+", re.sub(r"(?:\.nii)?(?:\.gz)?$|\.\w+$", "", name.lower()))
    if not any(SEQUENCE.fullmatch(word) for word in words):
        return None
    return " ".join(word for word in words if not (SEQUENCE.fullmatch(word) or DETAIL.fullmatch(word)))
