"""DICOM's stored values -> rescaled values or brightness: padding, tables, colours (PS3.3 C.7.6.3, C.11.1)."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut
from pydicom.pixels.processing import apply_voi

from utils.scans.colour import gray
from utils.scans.dicom_values import first_number, frame_value, whole_number
from utils.scans.dicom_window import photometric, stored_bits

SLOPE_ZERO = "The rescale slope in this file is 0, which would erase the image; it was ignored."
BITS_DISAGREE = (
    "The bit numbers in this file contradict each other, and programs read such files differently; the values are "
    "used as they are stored."
)


class StoredPixels:
    """From stored values to what a Decoded holds, with the attributes of the file looked up once."""

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.photometric = photometric(ds)
        self.little = ds.original_encoding[1] is not False
        self.coloured = not self.photometric.startswith("MONOCHROME")
        self.bits = stored_bits(ds)
        high_bit = whole_number(ds, "HighBit")
        self.contradicts = high_bit is not None and high_bit != self.bits - 1 and "PixelData" in ds
        self.modality_lut = bool(ds.get("ModalityLUTSequence"))
        self.voi_lut = bool(ds.get("VOILUTSequence"))
        self.windowed = self.coloured or self.voi_lut
        self.slope_is_zero = not self.modality_lut and self._number("RescaleSlope", 0) == 0

    @property
    def notes(self) -> list[str]:
        return [SLOPE_ZERO] * self.slope_is_zero + [BITS_DISAGREE] * self.contradicts

    def frame(self, stored: np.ndarray, index: int) -> np.ndarray:
        """(H, W) float32: brightness 0..1 where `windowed`, else rescaled values, negative for MONOCHROME1."""
        if self.coloured:
            return gray(self.rgb(stored))[0]
        stored = self._without_unused_bits(stored)
        padding = self._padding(stored)
        values = self._rescaled(stored, index)
        if self.voi_lut:
            depth = int(self.ds.VOILUTSequence[0].LUTDescriptor[2])
            whole = values if values.dtype.kind in "iu" else np.rint(values).astype(np.int32)
            result = np.clip(apply_voi(whole, self.ds).astype(np.float32) / (2**depth - 1), 0, 1)
        else:
            result = values.astype(np.float32)
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

    def _without_unused_bits(self, stored: np.ndarray) -> np.ndarray:
        """The values without the bits above those stored, where old files keep overlays.

        pydicom clears them in uncompressed files; in compressed ones they come back from the codec.
        """
        unused = 8 * stored.dtype.itemsize - self.bits
        if stored.dtype.kind not in "iu" or unused <= 0 or self.contradicts or self.bits < 1:
            return stored
        return (stored << unused) >> unused  # in a signed type this extends the sign

    def _rescaled(self, stored: np.ndarray, index: int) -> np.ndarray:
        if self.modality_lut:
            return apply_modality_lut(stored, self.ds)
        slope, intercept = self._number("RescaleSlope", index), self._number("RescaleIntercept", index)
        if slope is None or intercept is None or slope == 0 or (slope, intercept) == (1, 0):
            return stored
        return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)

    def _number(self, keyword: str, index: int) -> float | None:
        return first_number(frame_value(self.ds, "PixelValueTransformationSequence", keyword, index))

    def _padding(self, stored: np.ndarray) -> np.ndarray | None:
        """(H, W) bool: where there is nothing, or None. PS3.3 C.7.5.1.1.2."""
        value = whole_number(self.ds, "PixelPaddingValue")
        if value is None or stored.dtype.kind not in "iu":
            return None
        limit = whole_number(self.ds, "PixelPaddingRangeLimit")
        ends = [value, value if limit is None else limit]
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
