"""MR series drawn by code, as files: planes, oblique ones too, spacings, vendors, single-frame and enhanced."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items

from tests.support.brains import draw
from utils.evidence.outlines import OperatingPoint, Outline, outline
from utils.networks.cards import Card
from utils.reading.segmenter import Segmentation
from utils.scans.preprocessing import preprocess
from utils.scans.scan import Scan

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.9659, 0.0, -0.2588, 0.0670, 0.9659, 0.2500)
TURNED = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0)  # axial, stored with rows and columns exchanged
PATIENT = "Drawn^Patient"


@dataclass(frozen=True)
class Drawn:
    """A series to draw. `spacing` is (row, column) in mm, `shape` (rows, columns) of a slice as stored."""

    orientation: Sequence[float] = AXIAL
    slices: int = 4
    shape: tuple[int, int] = (110, 90)
    spacing: tuple[float, float] = (1.0, 1.0)
    distance: float = 5.0
    vendor: str = "SIEMENS"
    seed: int = 0


def series(drawn: Drawn, images: Sequence[np.ndarray] = ()) -> list[tuple[str, bytes]]:
    """The files (name, bytes) of single-frame MR images, one a slice; `images` take the place of the drawn pixels."""
    files = []
    for number in range(drawn.slices):
        ds = _header(drawn, uid.MRImageStorage, number)
        ds.ImageOrientationPatient = [f"{cosine:.6g}" for cosine in _exact(drawn.orientation)]
        ds.ImagePositionPatient = [f"{value:.8g}" for value in corner(drawn, number)]
        ds.PixelSpacing, ds.SliceThickness = list(drawn.spacing), drawn.distance
        ds.EchoTime, ds.RepetitionTime, ds.EchoTrainLength = 15.0, 500.0, 1
        ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "NONE", ""
        ds.MRAcquisitionType = "2D"
        ds.PixelData = (images[number] if images else pixels(drawn, number)).tobytes()
        files.append((f"{number}.dcm", _bytes(ds)))
    return files


def enhanced(drawn: Drawn, images: Sequence[np.ndarray] = ()) -> list[tuple[str, bytes]]:
    """One enhanced MR file with all slices as frames."""
    ds = _header(drawn, uid.EnhancedMRImageStorage, 0)
    ds.NumberOfFrames = drawn.slices
    groups = []
    for number in range(drawn.slices):
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = [f"{value:.8g}" for value in corner(drawn, number)]
        group.PlanePositionSequence = Items([place])
        groups.append(group)
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [f"{cosine:.6g}" for cosine in _exact(drawn.orientation)]
    measures.PixelSpacing, measures.SliceThickness = list(drawn.spacing), drawn.distance
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Items([orientation]), Items([measures])
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = Items([shared]), Items(groups)
    frames = images or [pixels(drawn, number) for number in range(drawn.slices)]
    ds.PixelData = b"".join(frame.tobytes() for frame in frames)
    return [("enhanced.dcm", _bytes(ds))]


def corner(drawn: Drawn, number: int) -> np.ndarray:
    """The position of a slice, in mm."""
    row, column = np.reshape(_exact(drawn.orientation), (2, 3))
    return np.asarray([-60.0, -55.0, 20.0]) + number * drawn.distance * np.cross(row, column)


def pixels(drawn: Drawn, number: int) -> np.ndarray:
    """(rows, columns) uint16 of a slice: a head with a bright spot on the middle slices."""
    rows, columns = drawn.shape
    image = 0.7 * draw(rows, columns, seed=drawn.seed + number)
    if abs(number - drawn.slices // 2) <= 1 or drawn.slices == 1:
        centre = (round(0.62 * columns), round(0.4 * rows))
        cv2.ellipse(image, centre, (columns // 9, rows // 12), 20, 0, 360, 1.0, -1)
    return np.rint(900 * image).astype(np.uint16)


def _header(drawn: Drawn, sop_class: uid.UID, number: int) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)  # type: ignore[arg-type]
    name = repr(drawn)
    ds.SOPClassUID = meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = _uid(name, sop_class, number)
    ds.StudyInstanceUID, ds.SeriesInstanceUID = _uid(name, "study"), _uid(name, sop_class, "series")
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = _uid(name, "frame of reference"), ""
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = PATIENT, "D-1", "19700101", "F"
    ds.StudyDate, ds.StudyTime, ds.StudyID, ds.AccessionNumber = "20240102", "101112", "S1", "A-1"
    ds.ReferringPhysicianName, ds.StudyDescription = "Doctor^Drawn", "Drawn study"
    ds.Modality, ds.Manufacturer, ds.InstitutionName = "MR", drawn.vendor, "Drawn hospital"
    ds.SeriesNumber, ds.InstanceNumber, ds.ImageType = 3, number + 1, ["ORIGINAL", "PRIMARY", "M"]
    ds.Rows, ds.Columns = drawn.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    return ds


def _exact(orientation: Sequence[float]) -> list[float]:
    """The direction cosines, perpendicular and of length 1."""
    row = np.asarray(orientation[:3]) / np.linalg.norm(orientation[:3])
    column = np.asarray(orientation[3:]) - row * (row @ orientation[3:])
    return [*row, *(column / np.linalg.norm(column))]


def _uid(*parts: object) -> uid.UID:
    return uid.generate_uid(entropy_srcs=[str(part) for part in parts])


def _bytes(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


class BrightSpots:
    """Stands in for the segmentation network: outlines the brightest part of a scan."""

    card = Card(
        name="unet",
        task="segmentation",
        classes=("tumor",),
        input_size=128,
        threshold=0.5,
        peak=0.9,
        weights_sha256="5" * 64,
    )

    def read_many(self, scans: Sequence[Scan], inputs: object = None) -> list[Segmentation]:
        return [Segmentation(self.outline(scan), 0.9) for scan in scans]

    def outline(self, scan: Scan) -> Outline:
        geometry = preprocess(scan.pixels, self.card.input_size)[1]
        bright = geometry.to_network(scan.pixels > 0.9)
        return outline(bright, geometry, OperatingPoint(0.5, 0.9), scan.spacing)
