"""DICOM -> Decoded, with pydicom. No identifier leaves this module."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import get_decoder, iter_pixels

from utils.scans import places
from utils.scans.colour import COLOUR_NOTE, gray
from utils.scans.decoded import Decoded, FrameFacts
from utils.scans.dicom_facts import facts_of, instance_of, number_of, patient_of, series_of, study_of
from utils.scans.dicom_pixels import StoredPixels
from utils.scans.dicom_values import texts, whole_number
from utils.scans.dicom_window import photometric
from utils.scans.errors import UnreadableScan, damaged
from utils.scans.limits import LARGEST_STACK, MOST_FRAMES, MOST_SLICES, check_size, check_stack

BURNED_IN = "Text may be burned into this image; check it for names before you share it."
BURNED_IN_MODALITIES = ("US", "SC", "OT", "ES", "XC", "GM", "SM", "OP", "DG", "HC", "IVUS", "DOC")
OTHER_MODALITIES = ("CT", "US", "CR", "DX", "NM", "PT", "XA", "RF", "MG", "ES", "XC", "OP", "IO", "PX", "SM")
MOSAIC = (
    "This DICOM file is a mosaic of slices (Siemens), not a single slice; export the series as separate slices or "
    "convert it to NIfTI."
)

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
    _set_defaults(ds)
    rows, columns = int(ds.Rows), int(ds.Columns)
    count = whole_number(ds, "NumberOfFrames") or 1
    if count < 1:
        raise damaged("DICOM file")
    check_size(columns, rows, "The slices of this file are" if count > 1 else "This image is")
    if count > MOST_FRAMES:
        check_stack(columns, rows, count)
    facts = facts_of(ds, count)
    chosen, notes = _frames_to_read(facts, rows, columns)
    plugin = _plugin(ds)
    pixels = _pixels(ds, chosen, plugin)
    first = next(pixels)  # shows whether it has real colour, and fails early
    stored = StoredPixels(ds)
    notes += _notes(ds, stored, first)
    return Decoded(
        "DICOM",
        len(chosen),
        (stored.frame(frame, index) for index, frame in zip(chosen, chain([first], pixels), strict=False)),
        tuple(facts[index] for index in chosen),
        windowed=stored.windowed,
        notes=tuple(notes),
        series=series_of(ds),
        instance=instance_of(ds),
        number=number_of(ds),
        study=study_of(ds),
        patient=patient_of(ds),
    )


def _notes(ds: Dataset, stored: StoredPixels, first: np.ndarray) -> list[str]:
    notes = []
    modality = (texts(ds.get("Modality")) or [""])[0]
    if modality in OTHER_MODALITIES:
        notes.append(f"This file is marked as {modality}, not as MR; the models were trained on MR alone.")
    is_burned_in = "YES" in texts(ds.get("BurnedInAnnotation"))
    if is_burned_in or modality in BURNED_IN_MODALITIES:
        notes.append(BURNED_IN)
    if stored.coloured and gray(stored.rgb(first))[1]:
        notes.append(COLOUR_NOTE)
    return notes + stored.notes


def _frames_to_read(facts: Sequence[FrameFacts], rows: int, columns: int) -> tuple[list[int], list[str]]:
    """The frames of a file that are decoded, in the order of the file, and notes about the others.

    The limits apply to the stacks that are read: of several images of one place, only the first is; of several stacks,
    as many as fit.
    """
    groups = places.split_into_stacks(facts)
    chosen: list[int] = []
    notes: list[str] = []
    stacks = 0
    for group in groups:
        order, note = places.in_order([facts[index] for index in group], [None] * len(group), True)
        is_full = len(order) > MOST_SLICES or (len(chosen) + len(order)) * rows * columns > LARGEST_STACK
        if is_full and stacks:
            break
        check_stack(columns, rows, len(order))
        chosen += [group[position] for position in order]
        notes += [note] if note and note not in notes else []
        stacks += 1
    if stacks < len(groups):
        notes.append(f"Only the first {stacks} of {len(groups)} stacks in this file are read.")
    return sorted(chosen), notes


def _set_defaults(ds: Dataset) -> None:
    """Fill in what files leave out, with the values that the standard or nearly all files have."""
    depth = whole_number(ds, "BitsAllocated")
    high_bit = whole_number(ds, "HighBit")
    if not whole_number(ds, "SamplesPerPixel"):
        ds.SamplesPerPixel = 3 if photometric(ds) in ("RGB", "YBR_FULL", "YBR_FULL_422") else 1
    if ds.SamplesPerPixel > 1 and whole_number(ds, "PlanarConfiguration") is None:
        ds.PlanarConfiguration = 0
    ds.PhotometricInterpretation = photometric(ds)
    if "PixelData" not in ds:
        return
    if not depth:
        depth = ds.BitsAllocated = 8 if (whole_number(ds, "BitsStored") or 16) <= 8 else 16
    if not whole_number(ds, "BitsStored"):
        ds.BitsStored = depth if high_bit is None or not 0 < high_bit < depth else high_bit + 1
    if high_bit is None:
        ds.HighBit = ds.BitsStored - 1
    if whole_number(ds, "PixelRepresentation") is None:
        ds.PixelRepresentation = 0


def _check_kind(ds: Dataset) -> None:
    """Raises UnreadableScan for DICOM files without an image."""
    kind = str(ds.get("SOPClassUID") or getattr(ds, "file_meta", {}).get("MediaStorageSOPClassUID") or "")
    for beginning, words in NOT_IMAGES.items():
        if kind.startswith(beginning):
            raise UnreadableScan(
                f"This DICOM file holds {words}, not a scan; select the images of the series."
            )
    if "SEG" in texts(ds.get("Modality")):
        raise UnreadableScan(
            "This DICOM file holds a segmentation, not a scan; select the images of the series."
        )
    if "MOSAIC" in texts(ds.get("ImageType")):
        raise UnreadableScan(MOSAIC)
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


def _pixels(ds: Dataset, chosen: Sequence[int], plugin: str) -> Iterator[np.ndarray]:
    """The chosen frames, decoded, (H, W) or (H, W, 3)."""
    shape = (int(ds.Rows), int(ds.Columns))
    done = 0
    try:
        for frame in iter_pixels(ds, indices=list(chosen), decoding_plugin=plugin):
            if frame.shape[:2] != shape:
                break
            yield frame
            done += 1
    except MemoryError:
        raise
    except Exception:
        raise damaged("DICOM file") from None
    if done < len(chosen):
        raise damaged("DICOM file")
