"""The kinds of DICOM results, without the libraries that make them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """`series` is the SeriesNumber of its objects, `title` begins their SeriesDescription."""

    title: str
    description: str
    series: int


KINDS = {
    "seg": Kind("Outline", "Segmentation (SEG)", 9801),
    "sr": Kind("Report", "Structured report (SR)", 9802),
    "capture": Kind("Saliency maps", "Images with saliency maps (Secondary Capture)", 9803),
    "pdf": Kind("Report as PDF", "Report (Encapsulated PDF)", 9804),
    "map": Kind("Evidence", "Saliency maps as numbers (Parametric Map)", 9805),
}
DEFAULT_KINDS = ("seg", "sr")
MANUFACTURER = "Brain MRI reader"  # of every object, so that an archive can be searched for them
