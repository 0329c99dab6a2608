"""Readings, files and functions that the tests of reports share."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from pypdf import PdfReader

from utils.classes import CLASSES
from utils.reading.worklist import Entry
from utils.reports.pdf import report_pdf
from utils.reports.reported import ReportedNetwork, ReportedScan, Settings
from utils.scans.preprocessing import Geometry

CREATED = datetime(2026, 11, 21, 18, 4, tzinfo=UTC)
SECRET = "Doe^Jane19700101.dcm"
VERSIONS = {"cnn": "c" * 64, "vgg16": "f" * 64}
DRAWN = Settings(scale=0.2)


@dataclass(frozen=True)
class FakeReading:
    """The attributes of utils.reading.reader.Reading that reports use, without Keras."""

    network: str
    title: str
    label: str
    probabilities: np.ndarray
    maps: np.ndarray
    geometry: Geometry
    grade: str = "ok"
    flags: tuple[str, ...] = ()
    classes: tuple[str, ...] = CLASSES

    @property
    def version(self) -> str:
        return VERSIONS[self.network]

    @property
    def confidence(self) -> float:
        return float(self.probabilities.max())

    @property
    def shown_class(self) -> str:
        return "glioma" if self.label == "no_tumor" else self.label

    def probability(self, label: str) -> float:
        return float(self.probabilities[self.classes.index(label)])

    def strength(self, label: str, scale: float) -> np.ndarray:
        return self.geometry.to_scan(self.maps[self.classes.index(label)]) / scale


def refused_file(name: str = SECRET) -> Entry:
    return Entry("file", name, None, reason="This is not an image.")


def pages_of(pdf: bytes) -> list[str]:
    """The text of every page, as one line."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]


def page_of(scan: ReportedScan, networks: list[ReportedNetwork]) -> str:
    """The text of a single scan's page, as one line."""
    return pages_of(report_pdf([scan], networks, CREATED))[0]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))
