"""Which format the bytes of a file are. The name of a file never decides."""

from __future__ import annotations

IMAGE_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"II+\0", b"MM\0*", b"MM\0+", b"RIFF")


def is_recognised(data: bytes) -> bool:
    """Whether the file begins like a format that `decode` reads; others need not be sent to a decoder."""
    return data.startswith(IMAGE_BEGINNINGS) or is_nifti(data) or is_dicom(data)


def is_nifti(data: bytes) -> bool:
    """NIfTI 1 or 2, or a gzip file (other gzip files are refused by the NIfTI decoder)."""
    return (
        data[:3] == b"\x1f\x8b\x08" or data[344:348] in (b"n+1\0", b"ni1\0") or data[4:7] in (b"n+2", b"ni2")
    )


def is_dicom(data: bytes) -> bool:
    """A DICOM file, also an older one that begins with its first element instead of a preamble."""
    if data[128:132] == b"DICM":
        return True
    if data[:2] not in (b"\x02\0", b"\x08\0") or data[2:4] not in (b"\0\0", b"\x01\0", b"\x05\0", b"\x10\0"):
        return False
    explicit = data[4:6] in (b"UL", b"OB", b"UI", b"CS")
    return explicit or int.from_bytes(data[4:8], "little") < 128


def is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")
