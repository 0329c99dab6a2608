"""Reformats: every plane shows the same anatomy the right way round, whichever plane was scanned."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.stacks import AXIAL, CORONAL, SAGITTAL, stack
from utils.reading.reformats import MOST, orientation_of, reformats, why_not
from utils.reading.worklist import Entry
from utils.scans.places import side_letters

SIDES = (30, 34, 26)  # left, back, head
SPOTS = {"left": 0.7, "front": 0.8, "head": 0.9}  # brightness of marks at the ends


def head() -> np.ndarray:
    """(left, back, head) float: gray, with a mark at the patient's left, one in front and one on top."""
    volume = np.full(SIDES, 0.4, np.float32)
    x, y, z = (side // 2 for side in SIDES)
    volume[-4:, y - 3 : y + 3, z - 3 : z + 3] = SPOTS["left"]
    volume[x - 3 : x + 3, :4, z - 3 : z + 3] = SPOTS["front"]
    volume[x - 3 : x + 3, y - 3 : y + 3, -4:] = SPOTS["head"]
    return volume


def scanned(plane: str, form: str = "DICOM") -> Entry:
    """The head in slices of a plane, upright, ordered as DICOM does; coronal ones of NIfTI come from the back."""
    volume = head()
    if plane == "axial":
        slices = np.transpose(volume, (2, 1, 0))
    elif plane == "coronal":
        slices = np.transpose(volume, (1, 2, 0))[:, ::-1]
        slices = slices[::-1] if form == "NIfTI" else slices
    else:
        slices = np.transpose(volume, (0, 2, 1))[::-1, ::-1]  # from the left
    orientation = {"axial": AXIAL, "coronal": CORONAL, "sagittal": SAGITTAL}[plane]
    places = [float(number) for number in range(len(slices))]
    return stack([0.1] * len(slices), volume=slices, places=places, orientation=orientation, format=form)


def side_of(image: np.ndarray, mark: str) -> str:
    """On which side of the image a mark lies."""
    rows, columns = np.nonzero(np.abs(image - SPOTS[mark]) < 0.01)
    down, right = rows.mean() / image.shape[0] - 0.5, columns.mean() / image.shape[1] - 0.5
    if abs(down) > abs(right):
        return "bottom" if down > 0 else "top"
    return "right" if right > 0 else "left"


@pytest.mark.parametrize("form", ["DICOM", "NIfTI"])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_reformats_are_upright_in_every_plane(plane: str, form: str) -> None:
    head = scanned(plane, form)
    planes = reformats(head)
    assert set(planes) == {"axial", "coronal", "sagittal"} - {plane}
    ends = {
        "axial": {"left": "right", "front": "top"},
        "coronal": {"left": "right", "head": "top"},
        "sagittal": {"front": "left", "head": "top"},
    }
    for name, images in planes.items():
        middle = images[len(images) // 2]
        assert {mark: side_of(middle, mark) for mark in ends[name]} == ends[name]
        letters = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
        assert "".join(side_letters(orientation_of(head, name))) == letters[name]


def test_pixels_are_square_and_there_are_not_too_many() -> None:
    volume = np.full((24, 200, 100), 0.5, np.float32)
    places = [2.0 * number for number in range(24)]
    planes = reformats(stack([0.1] * 24, volume=volume, places=places, orientation=AXIAL))
    assert {image.shape for image in planes["coronal"]} == {(48, 100)}
    assert {image.shape for image in planes["sagittal"]} == {(48, 200)}
    assert len(planes["coronal"]) == len(planes["sagittal"]) == MOST


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"places": [5.0 * number for number in range(24)]}, "5.0 mm apart"),
        ({"places": [float(number**1.1) for number in range(24)]}, "not evenly spaced"),
        ({"orientation": ()}, "does not say where"),
        ({"spacing": None}, "does not say where"),
    ],
)
def test_why_there_are_none(facts, reason) -> None:
    usual = {"places": [float(number) for number in range(24)], "orientation": AXIAL}
    shown = stack([0.1] * 24, **(usual | facts))
    assert reason in why_not(shown) and reformats(shown) == {}
    assert "fewer than 20" in why_not(stack([0.1] * 5, places=[0.0, 1, 2, 3, 4], orientation=AXIAL))
