"""What every kind of object is built from, and who made it under which UIDs.

The same source, networks and kind give the same UIDs, so that a repeat replaces and doubles nothing in an archive.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import highdicom
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from utils.networks.shipped import evidence_scale
from utils.reports.dicom.frames import Frame, Frames
from utils.reports.dicom.kinds import KINDS, MANUFACTURER
from utils.reports.dicom.series import ReadSeries
from utils.reports.reported import ReportedScan, Settings
from utils.scans.source_grid import to_source

REVISION = "3"  # of the content of the objects: a change gives new UIDs
NAMESPACE = uuid.UUID("6f0c1f0e-55f1-5d0a-9d0e-3f6b9a1c7d21")
SENTENCE = "For research and education only. Not a medical device; this is no diagnosis."


@dataclass(frozen=True)
class Request:
    """A read series with its frames. `segmentation` is the SEG that a report refers to, None where there is none."""

    series: ReadSeries
    frames: Frames
    created: datetime
    segmentation: Dataset | None = None

    def uid(self, kind: str, purpose: str = "instance") -> str:
        """A UID of the files, the networks that read them and their rule of referral, of a kind and a purpose."""
        sources = [f"{frame.sop_instance}#{frame.number}" for frame in self.frames]
        networks = [f"{name} {version}" for name, version in self.networks]
        refers = "with SEG" if self.segmentation is not None else ""
        rule = repr(self.series.referral.thresholds) + self.series.referral.site_profile
        return uid_of("\n".join([REVISION, kind, purpose, *sources, *networks, rule, refers]))

    def header(self, kind: str) -> dict[str, Any]:
        """The arguments about UIDs, series and equipment that all constructors of highdicom take."""
        return {
            "series_instance_uid": self.uid(kind, "series"),
            "series_number": KINDS[kind].series,
            "sop_instance_uid": self.uid(kind),
            "instance_number": 1,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": MANUFACTURER,
            "software_versions": self.versions,
            "device_serial_number": REVISION,
            "series_description": f"{KINDS[kind].title} (research and education only)",
            "content_date": self.created.date(),
            "content_time": self.created.time(),
        }

    @property
    def networks(self) -> list[tuple[str, str]]:
        """Name and SHA-256 of each network that read the series."""
        read = [(reading.network, reading.version) for reading in self.series.key.readings]
        segmenter = self.series.segmenter
        return [*read, (segmenter.name, segmenter.version)] if segmenter else read

    @property
    def versions(self) -> list[str]:
        """Each network with the beginning of its SHA-256."""
        return [f"{name} {version[:16]}" for name, version in self.networks]

    @property
    def key(self) -> Frame:
        """The frame of the key image."""
        return next(frame for frame in self.frames if frame.entry.scan is self.series.key.scan)

    @property
    def reported(self) -> ReportedScan:
        """The key image as the PDF report describes it."""
        return ReportedScan(
            "Scan",
            self.series.key,
            Settings(evidence_scale()),
            referral=self.series.referral,
            acquisition=self.series.entry.acquisition,
        )

    @cached_property
    def masks(self) -> np.ndarray:
        """(N, rows, columns) bool: the outlines on the grid of the source; empty where a slice was rejected."""
        masks = np.zeros((len(self.frames), *self.frames.shape), bool)
        for mask, outline, frame in zip(masks, self.series.outlines, self.frames, strict=False):
            if frame.entry.grade != "refused":
                mask[:] = to_source(outline.mask, frame.grid)
        return masks

    @property
    def contours(self) -> Sequence[np.ndarray]:
        """The contours of the outline on the key image, in the scan's pixels."""
        pairs = zip(self.frames, self.series.outlines, strict=False)
        return next((outline.contours for frame, outline in pairs if frame is self.key), ())


def uid_of(name: str) -> str:
    """A UID below 2.25 (PS3.5 B.2: a UUID as a number) that is the same for the same name."""
    return f"2.25.{uuid.uuid5(NAMESPACE, name).int}"


def algorithm(name: str, version: str) -> highdicom.AlgorithmIdentificationSequence:
    """A network of ours: its name and the SHA-256 of its weights."""
    return highdicom.AlgorithmIdentificationSequence(
        name=name, version=version, family=codes.DCM.ArtificialIntelligence, source=MANUFACTURER
    )
