"""Who made an object and under which UIDs. The same source, networks and kind give the same UIDs, so that a repeat
replaces nothing and doubles nothing in an archive."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import highdicom
from pydicom.sr.codedict import codes

from utils.reports.dicom.frames import Frames
from utils.reports.dicom.series import ReadSeries

NAME = "Brain MRI reader"
REVISION = "1"  # of the content of the objects: a change gives new UIDs
NAMESPACE = uuid.UUID("6f0c1f0e-55f1-5d0a-9d0e-3f6b9a1c7d21")
SERIES_NUMBERS = {"seg": 9801, "sr": 9802, "capture": 9803, "pdf": 9804, "map": 9805}
USE = "Research and education only"
SENTENCE = "For research and education only. Not a medical device; this is no diagnosis."


def uid(series: ReadSeries, frames: Frames, kind: str, purpose: str = "instance") -> str:
    """A UID below 2.25 (PS3.5 B.2: a UUID as a number) of a series, the networks that read it, a kind and a purpose."""
    sources = [f"{frame.sop_instance}#{frame.number}" for frame in frames.frames]
    networks = [f"{reading.network} {reading.version}" for reading in series.key.readings]
    segmenter = series.segmenter.version if series.segmenter else ""
    parts = [REVISION, kind, purpose, *sources, *networks, segmenter, repr(series.referral.threshold)]
    return uid_of("\n".join(parts))


def uid_of(name: str) -> str:
    return f"2.25.{uuid.uuid5(NAMESPACE, name).int}"


def header(series: ReadSeries, frames: Frames, kind: str, title: str, created: datetime) -> dict[str, Any]:
    """The arguments about UIDs, series and equipment that all constructors of highdicom take."""
    return {
        "series_instance_uid": uid(series, frames, kind, "series"),
        "series_number": SERIES_NUMBERS[kind],
        "sop_instance_uid": uid(series, frames, kind),
        "instance_number": 1,
        "manufacturer": NAME,
        "manufacturer_model_name": NAME,
        "software_versions": versions(series),
        "device_serial_number": REVISION,
        "series_description": f"{title} ({USE.lower()})",
        "content_date": created.date(),
        "content_time": created.time(),
    }


def versions(series: ReadSeries) -> list[str]:
    """Each network with the beginning of the SHA-256 of its weights."""
    networks = [(reading.network, reading.version) for reading in series.key.readings]
    if series.segmenter:
        networks.append((series.segmenter.name, series.segmenter.version))
    return [f"{name} {version[:16]}" for name, version in networks]


def algorithm(name: str, version: str) -> highdicom.AlgorithmIdentificationSequence:
    """A network of ours: its name and the SHA-256 of its weights."""
    return highdicom.AlgorithmIdentificationSequence(
        name=name, version=version, family=codes.DCM.ArtificialIntelligence, source=NAME
    )
