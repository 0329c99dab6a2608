"""DICOM -> Decoded, with pydicom. No identifier leaves this room."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import get_decoder, iter_pixels

from utils.scans.colour import COLOUR_NOTE, gray
from utils.scans.decoded import Decoded, spacing_in_mm
from utils.scans.dicom_pixels import Appearance, finite_numbers, first_number, frame_value
from utils.scans.errors import UnreadableScan, damaged
from utils.scans.limits import check_stack

BURNED_IN = "Text may be burned into this image; check it for names before you share it."
BURNED_IN_MODALITIES = ("US", "SC", "OT", "ES", "XC", "GM", "SM", "OP", "DG", "HC", "IVUS", "DOC")
OTHER_MODALITIES = ("CT", "US", "CR", "DX", "NM", "PT", "XA", "RF", "MG", "ES", "XC", "OP", "IO", "PX", "SM")

# Plugins with permissive licences, one for each compression: (pydicom's name, package to install, words).
PLUGINS = {
    uid.JPEGBaseline8Bit: ("pillow", "pillow", "JPEG"),
    uid.JPEGExtended12Bit: ("pillow", "pillow", "JPEG"),
    uid.JPEGLossless: ("gdcm", "python-gdcm", "lossless JPEG"),
    uid.JPEGLosslessSV1: ("gdcm", "python-gdcm", "lossless JPEG"),
    uid.JPEGLSLossless: ("pyjpegls", "pyjpegls", "JPEG-LS"),
    uid.JPEGLSNearLossless: ("pyjpegls", "pyjpegls", "JPEG-LS"),
    uid.JPEG2000Lossless: ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg", "JPEG 2000"),
    uid.JPEG2000: ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg", "JPEG 2000"),
    uid.HTJ2K: ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg", "JPEG 2000"),
    uid.HTJ2KLossless: ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg", "JPEG 2000"),
    uid.HTJ2KLosslessRPCL: ("pylibjpeg", "pylibjpeg and pylibjpeg-openjpeg", "JPEG 2000"),
    uid.RLELossless: ("pydicom", "pydicom", "RLE"),
}
NOT_IMAGES = {  # beginnings of SOP class UIDs
    "1.2.840.10008.5.1.4.1.1.104.": "a document (a PDF or the like)",
    "1.2.840.10008.5.1.4.1.1.88.": "a structured report",
    "1.2.840.10008.5.1.4.1.1.66.": "a segmentation or registration",
    "1.2.840.10008.5.1.4.1.1.481.": "a radiotherapy plan",
    "1.2.840.10008.5.1.4.1.1.11.": "a presentation state (how to show other files)",
    "1.2.840.10008.5.1.4.1.1.9.": "a waveform",
    "1.2.840.10008.1.3.10": "the index of a disc (DICOMDIR)",
}


def decode(data: bytes) -> Decoded:
    """Decode one DICOM file of one or more frames. Raises UnreadableScan; the frames, made one by one, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _decode(data)
        except (UnreadableScan, MemoryError):
            raise
        except Exception:  # pydicom raises almost anything on broken files
            raise damaged("DICOM file") from None


def _decode(data: bytes) -> Decoded:
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    ds = pydicom.dcmread(io.BytesIO(data), force=True)
    _check_kind(ds)
    rows, columns = int(ds.Rows), int(ds.Columns)
    count = int(ds.get("NumberOfFrames") or 1)
    if count < 1:
        raise damaged("DICOM file")
    check_stack(columns, rows, count)
    plugin = _plugin(ds)
    pixels = _pixels(ds, count, plugin)
    first = next(pixels)  # tells whether it has real colour, and fails early
    shown = Appearance(ds)
    modality = str(ds.get("Modality", "")).upper()
    notes = []
    if modality in OTHER_MODALITIES:
        notes.append(f"This file says that it is no MR image ({modality}); the networks know MR alone.")
    if str(ds.get("BurnedInAnnotation", "")).upper() == "YES" or modality in BURNED_IN_MODALITIES:
        notes.append(BURNED_IN)
    if shown.coloured and gray(shown.rgb(first))[1]:
        notes.append(COLOUR_NOTE)
    orientation, positions = _place(ds, count)
    return Decoded(
        "DICOM",
        count,
        (shown.frame(frame, index) for index, frame in enumerate(chain([first], pixels))),
        windowed=shown.windowed,
        spacing=_spacing(ds),
        notes=tuple(notes),
        series=_series(ds),
        orientation=orientation,
        positions=positions,
        number=_number(ds),
    )


def _check_kind(ds: Dataset) -> None:
    """Raises UnreadableScan for DICOM files without an image."""
    kind = str(ds.get("SOPClassUID") or getattr(ds, "file_meta", {}).get("MediaStorageSOPClassUID") or "")
    for beginning, words in NOT_IMAGES.items():
        if kind.startswith(beginning):
            raise UnreadableScan(
                f"This DICOM file holds {words}, not a scan; bring the images of the series."
            )
    if str(ds.get("Modality", "")).upper() == "SEG":
        raise UnreadableScan(
            "This DICOM file holds a segmentation, not a scan; bring the images of the series."
        )
    if "Rows" not in ds:
        if kind or "PatientID" in ds or "StudyInstanceUID" in ds:
            raise UnreadableScan(
                "This DICOM file holds no image, or was cut short before it; export it again."
            )
        raise damaged("DICOM file")
    if not any(name in ds for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableScan("This DICOM file holds no image, or was cut short before it; export it again.")


def _plugin(ds: Dataset) -> str:
    """pydicom's name of the plugin for this file's compression; empty for none. Sets what the file leaves out."""
    if not hasattr(ds, "file_meta"):
        ds.file_meta = FileMetaDataset()
    syntax = ds.file_meta.get("TransferSyntaxUID")
    if not syntax:
        implicit, little = ds.original_encoding
        explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
        syntax = ds.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:  # what pydicom raises for a syntax that it has no decoder for
        name = syntax.name if syntax.name != syntax else "an unknown one"
        raise UnreadableScan(
            f"This DICOM file is compressed in a way that is not read ({name}); export it uncompressed."
        ) from None
    if syntax not in PLUGINS:
        return ""
    plugin, package, words = PLUGINS[syntax]
    if plugin not in decoder.available_plugins:
        raise UnreadableScan(f"This DICOM file is compressed as {words}; install {package} to read it.")
    if syntax == uid.JPEGExtended12Bit and ds.get("BitsStored") != 8:
        raise UnreadableScan(
            "This DICOM file is compressed as 12-bit JPEG, for which there is no decoder with a "
            "permissive licence; export it uncompressed."
        )
    return plugin


def _pixels(ds: Dataset, count: int, plugin: str) -> Iterator[np.ndarray]:
    """`count` decoded frames, (H, W) or (H, W, 3), in the order of the file."""
    shape = (int(ds.Rows), int(ds.Columns))
    done = 0
    try:
        for frame in islice(iter_pixels(ds, decoding_plugin=plugin), count):
            if frame.shape[:2] != shape:
                break
            yield frame
            done += 1
    except MemoryError:
        raise
    except Exception:
        raise damaged("DICOM file") from None
    if done < count:
        raise damaged("DICOM file")


def _spacing(ds: Dataset) -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        numbers = finite_numbers(frame_value(ds, "PixelMeasuresSequence", keyword, 0))
        if len(numbers) == 2:
            return spacing_in_mm(*numbers)
    return None


def _place(ds: Dataset, count: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The orientation (six numbers) and each frame's position along its normal in mm; empty where not known."""
    orientation: list[float] = []
    positions = []
    for index in range(count):
        angles = finite_numbers(frame_value(ds, "PlaneOrientationSequence", "ImageOrientationPatient", index))
        corner = finite_numbers(frame_value(ds, "PlanePositionSequence", "ImagePositionPatient", index))
        orientation = orientation or angles
        if len(angles) != 6 or len(corner) != 3 or not np.allclose(angles, orientation, atol=0.05):
            return (), ()
        normal = np.cross(orientation[:3], orientation[3:])
        positions.append(round(float(normal @ corner), 3))
    return tuple(round(angle, 4) for angle in orientation), tuple(positions)


def _series(ds: Dataset) -> str:
    """A hash that files of one series, size and kind share; empty where the file names no series."""
    series = str(ds.get("SeriesInstanceUID") or "")
    if not series:
        return ""
    kind = [str(ds.get(name)) for name in ("Rows", "Columns", "EchoNumbers", "ImageType", "Modality")]
    return hashlib.sha256("\n".join([series, *kind]).encode()).hexdigest()


def _number(ds: Dataset) -> int:
    return int(first_number(ds.get("InstanceNumber")) or 0)
