"""The display window that a DICOM file stores for a frame. PS3.3 C.11.2."""

from __future__ import annotations

from pydicom.dataset import Dataset

from utils.scans.decoded import Window
from utils.scans.dicom_values import first_number, frame_value, texts, whole_number

GROUP = "FrameVOILUTSequence"


def window_of_frame(ds: Dataset, index: int) -> Window | None:
    """The first window of a frame, in rescaled values as they are shown: negative for MONOCHROME1.

    8-bit images without a window, rescaling or table are meant to be shown from their smallest to their largest
    possible number. None where the file says nothing.
    """
    is_inverted = photometric(ds) == "MONOCHROME1"
    window = _stored_window(ds, index) or _full_range(ds)
    if window is None or not is_inverted:
        return window
    return -window[1], -window[0], window[2]


def photometric(ds: Dataset) -> str:
    """The photometric interpretation, that of one gray or three colour channels where it is missing."""
    names = texts(ds.get("PhotometricInterpretation"))
    if names and names[0]:
        return names[0]
    return "RGB" if (whole_number(ds, "SamplesPerPixel") or 1) >= 3 else "MONOCHROME2"


def stored_bits(ds: Dataset) -> int:
    return whole_number(ds, "BitsStored") or whole_number(ds, "BitsAllocated") or 8


def _stored_window(ds: Dataset, index: int) -> Window | None:
    centre = first_number(frame_value(ds, GROUP, "WindowCenter", index))
    width = first_number(frame_value(ds, GROUP, "WindowWidth", index))
    function = (texts(frame_value(ds, GROUP, "VOILUTFunction", index)) or ["LINEAR"])[0] or "LINEAR"
    if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-9):
        return None
    if function == "LINEAR" and "PixelData" in ds:  # float pixels: the -1 of the width is meant for integers
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return centre - width / 2, centre + width / 2, "SIGMOID" if function == "SIGMOID" else "LINEAR"


def _full_range(ds: Dataset) -> Window | None:
    bits = stored_bits(ds)
    is_rescaled = first_number(frame_value(ds, "PixelValueTransformationSequence", "RescaleSlope", 0))
    if bits > 8 or "PixelData" not in ds or ds.get("ModalityLUTSequence") or is_rescaled is not None:
        return None
    lowest = float(-(2 ** (bits - 1)) if whole_number(ds, "PixelRepresentation") == 1 else 0)
    return lowest, lowest + 2**bits - 1, "LINEAR"
