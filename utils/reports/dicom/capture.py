"""Secondary Capture: the key image beside the saliency map of each network, in colour, for viewers without overlays."""

from __future__ import annotations

import unicodedata

import cv2
import highdicom
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes as standard

from utils.evidence import overlays
from utils.evidence.outlines import with_contours
from utils.reading.conclusion import reading_in_words
from utils.reports import words
from utils.reports.dicom.request import SENTENCE, Request
from utils.scans import rendering
from utils.scans.places import turned_directions
from utils.wording import CLASS_TITLES

KIND = "capture"
LEAST_SIDE = 384  # pixels of a pane, so that the words below it are legible
LINE = 22  # pixels of a line of text
DIRECTIONS = (("L", "R"), ("P", "A"), ("H", "F"))  # along the axes of a patient, up and down


def build(request: Request) -> Dataset | None:
    frame = request.key
    orientation = [float(cosine) for cosine in frame.image.ImageOrientationPatient]
    row, column = turned_directions(np.asarray(orientation[:3]), np.asarray(orientation[3:]), frame.grid.turn)
    made = highdicom.sc.SCImage.from_ref_dataset(
        frame.image,
        picture(request),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        patient_orientation=(_letter(row), _letter(column)),
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        **request.header(KIND),
    )
    made.BodyPartExamined = "BRAIN"
    made.BurnedInAnnotation = request.key.image.BurnedInAnnotation  # of the scan; the words name nobody
    made.DerivationDescription = _remarks(request)
    made.SourceImageSequence = Items([frame.reference(standard.DCM.SourceImageForImageProcessingOperation)])
    return made


def picture(request: Request) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the panes side by side, with a line of text below each and one below all."""
    reported = request.reported
    entry, settings, label = reported.entry, reported.settings, reported.shown_class
    assert entry.scan is not None
    gray = np.repeat(rendering.gray_image(entry.scan.pixels)[..., None], 3, axis=2)
    panes = [_pane(gray, "Original image")]
    contours = request.contours
    for reading in entry.readings:
        strength = reading.strength(label, settings.scale)
        drawn = overlays.overlay(entry.scan.pixels, strength, settings.opacity, settings.threshold)
        title = f"{reading.title}: {reading_in_words(reading)}; map: {CLASS_TITLES[label]}"
        panes.append(_pane(with_contours(drawn, contours), title))
    image = np.concatenate(panes, axis=1)
    return np.concatenate([image, _line(_remarks(request), image.shape[1])])


def _remarks(request: Request) -> str:
    """What the object is not, and the site profile that the answer follows."""
    return " ".join([SENTENCE, *words.site_profile(request.reported)])


def _pane(image: np.ndarray, title: str) -> np.ndarray:
    factor = max(round(LEAST_SIDE / min(image.shape[:2])), 1)
    large = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
    return np.concatenate([large, _line(title, large.shape[1])])


def _line(text: str, width: int) -> np.ndarray:
    """(LINE, width, 3) uint8: white text on black, made smaller where it is too long.

    The font has ASCII alone: accents, which the name of a site may have, are left out.
    """
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    line = np.zeros((LINE, width, 3), np.uint8)
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    (length, _), _ = cv2.getTextSize(text, font, size, 1)
    size *= min(1.0, (width - 12) / length)
    return cv2.putText(line, text, (6, LINE - 7), font, size, (255, 255, 255), 1, cv2.LINE_AA)


def _letter(direction: np.ndarray) -> str:
    """The side of the patient that a direction (left, posterior, superior) leads to."""
    axis = int(np.argmax(np.abs(direction)))
    return DIRECTIONS[axis][int(direction[axis] < 0)]
