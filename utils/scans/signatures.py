"""Which format the bytes of a file are. The name of a file never decides."""

from __future__ import annotations

IMAGE_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"II+\0", b"MM\0*", b"MM\0+", b"RIFF")
GZIP = b"\x1f\x8b\x08"
DICOM_GROUPS = (b"\x02\0", b"\x08\0")  # of the first element of a file without a preamble


def is_recognised(data: bytes) -> bool:
    """Whether the file begins like a format that `decode` reads; others need not be sent to a decoder."""
    return data.startswith((*IMAGE_BEGINNINGS, GZIP)) or is_nifti(data) or is_dicom(data)


def is_nifti(data: bytes | bytearray) -> bool:
    """NIfTI 1 or 2."""
    return data[344:348] in (b"n+1\0", b"ni1\0") or data[4:7] in (b"n+2", b"ni2")


def is_dicom(data: bytes) -> bool:
    """A DICOM file, also an older one (ACR-NEMA) that begins with its first element instead of a preamble."""
    if data[128:132] == b"DICM":
        return True
    if data[:2] not in DICOM_GROUPS or data[2:4] not in (b"\0\0", b"\x01\0", b"\x05\0", b"\x08\0", b"\x10\0"):
        return False
    explicit = data[4:6] in (b"UL", b"OB", b"UI", b"CS", b"LO", b"SH")
    return explicit or int.from_bytes(data[4:8], "little") < 128


def is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def foreign_format(data: bytes) -> str:
    """What a file that is not read is, and what to do with it, in words; "" where it is unknown."""
    if data[257:262] == b"ustar":
        return "a tar archive; unpack it and select the scans, or pack them as a ZIP"
    if data[:4] == b"\0\0\0\x01" and all(
        0 < int.from_bytes(data[at : at + 4], "big") < 65536 for at in (4, 8, 12)
    ):
        return "a FreeSurfer volume (MGH or MGZ); convert it to NIfTI with mri_convert"
    if data[:4] == b"NRRD":
        return "an NRRD volume; convert it to NIfTI"
    if data[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c") and len(data) == 348:
        return "an Analyze header; convert the pair of .hdr and .img to NIfTI"
    if data[:8] == b"\x89HDF\r\n\x1a\n" or data[:4] in (b"CDF\x01", b"CDF\x02"):
        return "a MINC or HDF5 file; convert it to NIfTI"
    if is_zip(data) or data.startswith(GZIP):
        return "another archive; unpack it first"
    return ""
