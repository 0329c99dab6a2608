"""DICOM's stored values -> brightness: rescale, padding, windows and colours (PS3.3 C.7.6.3, C.11.1, C.11.2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut
from pydicom.pixels.processing import apply_voi

from utils.scans.colour import gray


class Appearance:
    """From stored values to brightness, with what the file says about it, looked up once."""

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.photometric = str(ds.get("PhotometricInterpretation", "MONOCHROME2"))
        self.little = ds.original_encoding[1] is not False
        self.coloured = not self.photometric.startswith("MONOCHROME")
        self.bits = int(ds.get("BitsStored") or ds.get("BitsAllocated") or 8)
        self.modality_lut = bool(ds.get("ModalityLUTSequence"))
        self.voi_lut = bool(ds.get("VOILUTSequence"))
        self.rescaled = self._number("PixelValueTransformationSequence", "RescaleSlope", 0) is not None
        self.windowed = self.coloured or self.voi_lut or self._window(0) is not None or self._full_range

    @property
    def _full_range(self) -> bool:
        """8-bit images without a window are meant to be shown as they are."""
        return (
            self.bits <= 8 and "PixelData" in self.ds and not (self.modality_lut or self.rescaled)
        )  # fmt: skip

    def frame(self, stored: np.ndarray, index: int) -> np.ndarray:
        """(H, W) float32: brightness 0..1, or the file's own unit where it has no window."""
        if self.coloured:
            return gray(self.rgb(stored))[0]
        padding = self._padding(stored)
        values = self._rescaled(stored, index)
        if self.voi_lut:
            depth = int(self.ds.VOILUTSequence[0].LUTDescriptor[2])
            whole = values if values.dtype.kind in "iu" else np.rint(values).astype(np.int32)
            result = apply_voi(whole, self.ds).astype(np.float32) / (2**depth - 1)
        elif (window := self._window(index)) is not None:
            if (
                stored.dtype.kind == "f" and window[2] == "LINEAR"
            ):  # whose -1 of the width is meant for integers
                window = (*window[:2], "LINEAR_EXACT")
            result = _windowed(values, *window)
        elif self._full_range:
            lowest = -(2 ** (self.bits - 1)) if stored.dtype.kind == "i" else 0
            result = (values.astype(np.float32) - lowest) / (2**self.bits - 1)
        else:
            result = values.astype(np.float32)
        if self.windowed:
            result = np.clip(result, 0, 1)
        if self.photometric == "MONOCHROME1":
            result = 1 - result if self.windowed else -result
        if padding is not None:
            result[padding] = np.nan
        return result

    def rgb(self, stored: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 in 0..1."""
        if self.photometric == "PALETTE COLOR":
            if not self.little:
                _swap_palette(self.ds)
                self.little = True
            stored = apply_color_lut(stored, self.ds)
            largest = int(np.iinfo(stored.dtype).max)
        else:
            largest = 2**self.bits - 1
        return (stored[..., :3] / np.float32(largest)).astype(np.float32, copy=False)

    def _rescaled(self, stored: np.ndarray, index: int) -> np.ndarray:
        if self.modality_lut:
            return apply_modality_lut(stored, self.ds)
        group = "PixelValueTransformationSequence"
        slope = self._number(group, "RescaleSlope", index)
        intercept = self._number(group, "RescaleIntercept", index)
        if slope is None or intercept is None or (slope, intercept) == (1, 0):
            return stored
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)

    def _window(self, index: int) -> tuple[float, float, str] | None:
        """Centre, width and function of the first window that the file holds for a frame."""
        centre = self._number("FrameVOILUTSequence", "WindowCenter", index)
        width = self._number("FrameVOILUTSequence", "WindowWidth", index)
        function = str(
            frame_value(self.ds, "FrameVOILUTSequence", "VOILUTFunction", index) or "LINEAR"
        ).upper()
        if centre is None or width is None or width < (1 if function == "LINEAR" else 1e-9):
            return None
        return centre, width, function

    def _number(self, group: str, keyword: str, index: int) -> float | None:
        return first_number(frame_value(self.ds, group, keyword, index))

    def _padding(self, stored: np.ndarray) -> np.ndarray | None:
        """(H, W) bool: where there is nothing, or None. PS3.3 C.7.5.1.1.2."""
        if "PixelPaddingValue" not in self.ds or stored.dtype.kind not in "iu":
            return None
        ends = [self.ds.PixelPaddingValue, self.ds.get("PixelPaddingRangeLimit")]
        ends = [int(end) for end in ends if end is not None]
        if stored.dtype.kind == "i":  # the value may stand there as if it were unsigned
            bits = 8 * stored.dtype.itemsize
            ends = [end - 2**bits if end >= 2 ** (bits - 1) else end for end in ends]
        return (stored >= min(ends)) & (stored <= max(ends))


def _swap_palette(ds: Dataset) -> None:
    """16-bit palettes of big-endian files, which pydicom reads as little-endian ones."""
    for colour in ("Red", "Green", "Blue"):
        keyword = f"{colour}PaletteColorLookupTableData"
        if (
            keyword in ds
            and len(ds[keyword].value) == 2 * (ds[f"{colour}PaletteColorLookupTableDescriptor"].value[0])
        ):
            ds[keyword].value = np.frombuffer(ds[keyword].value, ">u2").astype("<u2").tobytes()


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """(H, W) float32, 0..1 inside the window. PS3.3 C.11.2.1.2 and C.11.2.1.3."""
    values = values.astype(np.float32)
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -80, 80)))
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6)
    return (values - np.float32(centre)) / np.float32(width) + np.float32(0.5)


def frame_value(ds: Dataset, group: str, keyword: str, index: int) -> Any:
    """An attribute of one frame: of its own functional group, of the shared one, or of the file."""
    frames = ds.get("PerFrameFunctionalGroupsSequence") or []
    places = [frames[index]] if index < len(frames) else []
    places += list(ds.get("SharedFunctionalGroupsSequence") or [])[:1]
    for place in places:
        for item in list(place.get(group) or [])[:1]:
            if keyword in item:
                return item[keyword].value
    return ds[keyword].value if keyword in ds else None


def first_number(value: Any) -> float | None:
    numbers = finite_numbers(value)
    return numbers[0] if numbers else None


def finite_numbers(value: Any) -> list[float]:
    """The finite numbers of an attribute with one or more values; none if one is not."""
    if value is None or isinstance(value, (str, bytes)):
        return []
    try:
        numbers = [float(number) for number in (value if hasattr(value, "__iter__") else [value])]
    except (TypeError, ValueError):
        return []
    return numbers if all(map(math.isfinite, numbers)) else []
