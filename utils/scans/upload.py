"""Bytes -> Scan, Stack or Refusal: the only entry for files. The formats are decoded by modules of their own."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from utils.scans import archives, images
from utils.scans.decoded import Decoded
from utils.scans.decoder_process import decoder
from utils.scans.errors import DecoderFailed, UnreadableScan, log_unexpected
from utils.scans.limits import (
    DECODER_SECONDS,
    DECODER_SECONDS_PER_FILE,
    DECODER_SECONDS_PER_MEGABYTE,
    LARGEST_UPLOAD,
    MEGABYTE,
    MOST_DECODER_FAILURES,
    MOST_FILES,
    UPLOAD_FULL,
    check_file,
)
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.signatures import foreign_format, is_recognised, is_zip
from utils.scans.stacking import Slice, pixels_of, slices_of, stacks_of
from utils.scans.volume_names import without_sequence

logger = logging.getLogger(__name__)

Instance = tuple[str, int | None, tuple[float, ...], float | None]
FAULT = "This file cannot be read; export the scan again."


def read_stacks(files: Sequence[tuple[str, bytes]]) -> list[Stack | Refusal]:
    """All that an upload of (name, bytes) holds, in the order of arrival. Never raises.

    DICOM files of one series become one Stack for each plane and weighting, also out of a ZIP, ordered along the
    normal of their slices; each scan keeps the name of its own file. A DICOM file that comes twice counts once, and
    hidden files that are no scans are skipped.
    """
    files = [
        (name, data) for name, data in files if not archives.is_hidden(name) or is_recognised(data)
    ] or files
    upload = _Upload()
    for name, data in files[:MOST_FILES]:
        upload.add(name, data)
    if len(files) > MOST_FILES:
        more = f"{files[MOST_FILES][0]} and {len(files) - MOST_FILES - 1} more"
        upload.parts.append(Refusal(more, f"At most {MOST_FILES} files are read at once; select fewer."))
    return upload.finished()


def read_stack(data: bytes, name: str) -> Stack:
    """The one image or volume of a file. Raises UnreadableScan, and nothing else, where there is none, or several."""
    parts = read_stacks([(name, data)])
    if len(parts) > 1:
        raise UnreadableScan(f"This file holds {len(parts)} images or stacks; select them one by one.")
    if isinstance(parts[0], Refusal):
        raise UnreadableScan(parts[0].reason)
    return parts[0]


def read_scan(data: bytes, name: str) -> Scan:
    """The image of a file with a single one; the bytes decide the format, never the name.

    Raises UnreadableScan, and nothing else, for whatever is not a usable image.
    """
    stack = read_stack(data, name)
    if len(stack.scans) > 1:
        raise UnreadableScan(f"This file is a stack of {len(stack.scans)} slices, not a single image.")
    return stack.scans[0]


def read_scan_file(path: Path | str, name: str | None = None) -> Scan:
    """`read_scan` for a file on disk. Raises UnreadableScan also where the file cannot be opened."""
    return read_scan(file_bytes(path), name or str(path))


def file_bytes(path: Path | str) -> bytes:
    """The bytes of a file on disk. Raises UnreadableScan where it cannot be opened or is too large to be read."""
    try:
        check_file(Path(path).stat().st_size)
        return Path(path).read_bytes()
    except OSError as error:
        raise UnreadableScan(f"This file cannot be opened ({error.strerror or error}).") from error


class _Upload:
    """What has been read so far: whole stacks, refusals, and series that may still grow."""

    def __init__(self) -> None:
        self.parts: list[Stack | Refusal | list[Slice]] = []
        self._series: dict[str, list[Slice]] = {}
        self._instances: set[Instance] = set()
        self._copies: Counter[Instance] = Counter()
        self._pixels_left = LARGEST_UPLOAD
        self._failures = 0

    def add(self, name: str, data: bytes) -> None:
        """Read one file, or each file of a ZIP."""
        add = self._add_zip if is_zip(data) else self._add_file
        try:
            check_file(len(data))
            add(name, data)
        except UnreadableScan as refusal:
            self.parts.append(Refusal(name, str(refusal)))
        except Exception as error:  # a fault of ours: the user sees a sentence, the log the place
            log_unexpected(logger, "reading an uploaded file", error)
            self.parts.append(Refusal(name, FAULT))

    def finished(self) -> list[Stack | Refusal]:
        parts: list[Stack | Refusal] = []
        for part in self.parts:
            if not isinstance(part, list):
                parts.append(part)
                continue
            try:
                parts += stacks_of(part, self._notes(part))
            except Exception as error:
                log_unexpected(logger, "combining the slices of a series", error)
                parts.append(Refusal(part[0].name, FAULT))
        return parts

    def _notes(self, slices: list[Slice]) -> tuple[str, ...]:
        count = sum(self._copies[key] for key in {_instance(item.source, item.sha256) for item in slices})
        files = "1 file" if count == 1 else f"{count} files"
        return (f"{files} came more than once; each is read once.",) if count else ()

    def _add_file(self, name: str, data: bytes) -> None:
        self._add_decoded(name, data, self._decode(data, DECODER_SECONDS)[0])

    def _add_zip(self, name: str, data: bytes) -> None:
        """The files of a ZIP share the processor time: an archive may not cost more because it holds many."""
        seconds, archive = DECODER_SECONDS, hashlib.sha256(data).hexdigest()
        for folder, member, content in archives.unpacked(data):
            try:
                if isinstance(content, UnreadableScan):
                    raise content
                check_file(len(content))
                seconds += DECODER_SECONDS_PER_FILE + DECODER_SECONDS_PER_MEGABYTE * len(content) / MEGABYTE
                decoded, used = self._decode(content, seconds)
                seconds = max(seconds - used, 0.0)
                self._add_decoded(member, content, _in_study(decoded, f"{archive}\n{folder}", member))
            except DecoderFailed:
                raise UnreadableScan(
                    "A file of this ZIP makes its decoder fail or run too long; it and what comes after it were not "
                    "read, so select the other files alone."
                ) from None
            except UnreadableScan as refusal:
                seconds = max(seconds - refusal.seconds, 0.0)
                self.parts.append(Refusal(member, str(refusal)))

    def _decode(self, data: bytes, seconds: float) -> tuple[Decoded, float]:
        """The file, and the processor time that the decoder process took until its first frame."""
        if not is_recognised(data):
            what = foreign_format(data)
            raise UnreadableScan(f"This file is {what}." if what else images.NOT_AN_IMAGE)
        plain = images.decode_plain(data)
        if plain is not None:
            return plain, 0.0
        if self._failures >= MOST_DECODER_FAILURES:
            raise UnreadableScan("Too many files of this upload are damaged; select this one alone.")
        try:
            return decoder().decode(data, seconds, self._pixels_left)
        except DecoderFailed:
            self._failures += 1
            raise

    def _add_decoded(self, name: str, data: bytes, decoded: Decoded) -> None:
        slices = slices_of(name, hashlib.sha256(data).hexdigest(), decoded)
        if decoded.instance:
            instance = _instance(decoded, slices[0].sha256)
            if instance in self._instances:
                self._copies[instance] += 1
                return
            self._instances.add(instance)
        pixels = pixels_of(slices)
        if pixels > self._pixels_left:
            raise UnreadableScan(UPLOAD_FULL)
        self._pixels_left -= pixels
        if decoded.series and decoded.count == 1:
            if decoded.series not in self._series:
                self._series[decoded.series] = []
                self.parts.append(self._series[decoded.series])
            self._series[decoded.series] += slices
        else:
            self.parts.append(slices)


def _in_study(decoded: Decoded, place: str, name: str) -> Decoded:
    """Volumes of a format without studies belong to one where they come from one place, a folder of a ZIP, and their
    names differ by nothing but the sequence."""
    rest = without_sequence(name)
    if decoded.format == "DICOM" or decoded.count == 1 or rest is None:
        return decoded
    return replace(decoded, study=hashlib.sha256(f"{place}\n{rest}".encode()).hexdigest()[:32])


def _instance(decoded: Decoded, sha256: str) -> Instance:
    """What copies of one DICOM file share. The place is part of it: some programs give all slices one UID."""
    if not decoded.instance:
        return sha256, None, (), None
    return decoded.instance, decoded.number, decoded.facts[0].corner, decoded.facts[0].location
