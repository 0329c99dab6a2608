"""DICOM files -> the headers that results are made from, by the SHA-256 of the file, like `Scan.sha256`."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Sequence

import pydicom
from pydicom.dataset import Dataset

from utils.reports.dicom.quiet import quiet
from utils.scans import archives
from utils.scans.errors import UnreadableScan
from utils.scans.gzipped import inflated, is_gzip
from utils.scans.signatures import is_dicom, is_zip

# What a PACS files an object by. Nothing else of the patient is copied.
PATIENT_AND_STUDY = {
    "PatientName": "PN",
    "PatientID": "LO",
    "IssuerOfPatientID": "LO",
    "PatientBirthDate": "DA",
    "PatientSex": "CS",
    "PatientIdentityRemoved": "CS",
    "DeidentificationMethod": "LO",
    "StudyDate": "DA",
    "StudyTime": "TM",
    "ReferringPhysicianName": "PN",
    "StudyID": "SH",
    "AccessionNumber": "SH",
    "StudyDescription": "LO",
}
OTHERS = (  # what kind of image it is, where it lies, and its own UIDs
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *(
        "NumberOfFrames",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "LossyImageCompression",
    ),
    *(
        "ImageOrientationPatient",
        "ImagePositionPatient",
        "PixelSpacing",
        "SliceThickness",
        "BurnedInAnnotation",
    ),
)


def source_of(data: bytes) -> Dataset | None:
    """What results need of the header of a DICOM file (also gzipped) that the decoder has accepted; else None."""
    with quiet():
        try:
            data = bytes(inflated(data)) if is_gzip(data) else data
            if not is_dicom(data):
                return None
            return pydicom.dcmread(
                io.BytesIO(data),
                stop_before_pixels=True,
                force=True,
                specific_tags=[*PATIENT_AND_STUDY, *OTHERS],
            )
        except Exception:  # pydicom raises almost anything on broken files
            return None


def sources_of(files: Sequence[tuple[str, bytes]], accepted: Iterable[str]) -> dict[str, Dataset]:
    """The headers of the files, and of the files inside ZIPs, whose SHA-256 is among the accepted ones."""
    hashes = set(accepted)
    sources = {}
    for data in _contents(files):
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 in hashes:
            source = source_of(data)
            if source is not None:
                sources[sha256] = source
    return sources


def _contents(files: Sequence[tuple[str, bytes]]) -> Iterable[bytes]:
    for _, data in files:
        if not is_zip(data):
            yield data
            continue
        try:
            yield from (content for _, _, content in archives.unpacked(data) if isinstance(content, bytes))
        except UnreadableScan:
            continue
