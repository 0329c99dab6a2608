"""Bytes -> Decoded: calls the decoder of the file's format. Runs in the decoder process (`decoder_program`)."""

from __future__ import annotations

from utils.scans import dicom, images, nifti
from utils.scans.decoded import Decoded
from utils.scans.errors import UnreadableScan
from utils.scans.gzipped import inflated, is_gzip
from utils.scans.signatures import foreign_format, is_dicom, is_nifti


def decode(data: bytes) -> Decoded:
    """Decode a file of any format except ZIP. Frames may be decoded one by one, and so raise late.

    Raises UnreadableScan, or whatever a decoder raises on a damaged file.
    """
    if is_gzip(data):
        inside = inflated(data)
        if is_nifti(inside):
            return nifti.decode(inside)
        data = bytes(inside)
        if not is_dicom(data):
            what = (
                foreign_format(data) or "neither a NIfTI nor a DICOM file; decompress it and select the scan"
            )
            raise UnreadableScan(f"This gzip file contains {what}.")
    if is_nifti(data):
        return nifti.decode(data)
    if is_dicom(data):
        return dicom.decode(data)
    return images.decode(data)
