"""Bytes -> Decoded: calls the decoder of the file's format. Runs in the decoder process (`decoder_program`)."""

from __future__ import annotations

from utils.scans import dicom, images, nifti
from utils.scans.decoded import Decoded
from utils.scans.signatures import is_dicom, is_nifti


def decode(data: bytes) -> Decoded:
    """Decode a file of any format except ZIP. Frames may be decoded one by one, and so raise late.

    Raises UnreadableScan, or whatever a decoder raises on a damaged file.
    """
    if is_nifti(data):
        return nifti.decode(data)
    if is_dicom(data):
        return dicom.decode(data)
    return images.decode(data)
