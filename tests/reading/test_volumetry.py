"""Tumour volumes in ml, and their change from a prior to a current stack."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.stacks import AXIAL, CORONAL, square, stack
from utils.reading.follow_up import change, change_in_words
from utils.reading.study_conclusion import volume_in_words
from utils.reading.volumetry import tumor_volume


def test_volume_is_area_times_distance() -> None:
    masks = [square(0), square(10), square(20), square(0)]
    volume = tumor_volume(stack([0.9] * 4, spacing=(0.5, 0.5), masks=masks))
    assert volume is not None
    assert volume.ml == pytest.approx((100 + 400) * 0.25 * 5 / 1000)
    assert (volume.slices, volume.widest, volume.distance, volume.is_uneven) == (2, 2, 5.0, False)
    assert volume.diameter_mm == pytest.approx(20 * 0.5 * 2**0.5, rel=0.01)
    assert volume.largest_ml == pytest.approx(volume.ml)


def test_parts_that_do_not_touch_are_told_apart() -> None:
    masks = [square(10), square(0), square(20), square(20)]
    volume = tumor_volume(stack([0.9] * 4, masks=masks))
    assert volume is not None and volume.ml == pytest.approx(4.5) and volume.largest_ml == pytest.approx(4.0)


def test_uneven_slices_are_weighed_by_their_distance_and_named() -> None:
    masks = [square(10), square(10), square(10), square(0)]
    volume = tumor_volume(stack([0.9] * 4, places=[0.0, 2.0, 4.0, 10.0], masks=masks))
    assert volume is not None and volume.is_uneven
    assert volume.ml == pytest.approx(100 * (2 + 2 + 4) / 1000)


def test_slices_that_are_no_brain_have_no_tumour() -> None:
    shown = stack([0.9] * 3, masks=[square(10)] * 3, grades=["ok", "ok", "refused"])
    volume = tumor_volume(shown)
    assert volume is not None and volume.slices == 2 and volume.ml == pytest.approx(1.0)


@pytest.mark.parametrize(
    "facts", [{"spacing": None}, {"places": [None, None, None]}, {"places": [0.0, 0.0, 1.0]}, {"masks": ()}]
)
def test_what_is_not_known_gives_no_volume(facts) -> None:
    assert tumor_volume(stack([0.9] * 3, **({"masks": [square(10)] * 3} | facts))) is None


def test_change_in_ml_and_percent() -> None:
    prior = stack([0.9] * 3, masks=[square(0), square(20), square(0)], orientation=AXIAL)
    current = stack([0.9] * 3, masks=[square(0), square(20), square(20)], orientation=AXIAL)
    grown = change(prior, current)
    assert grown.ml == pytest.approx(2.0) and grown.share == pytest.approx(1.0) and grown.warnings == ()
    assert change_in_words(grown) == "+2.0 ml (+100 %): from 2.0 ml to 4.0 ml"
    assert change_in_words(change(current, prior)) == "-2.0 ml (-50 %): from 4.0 ml to 2.0 ml"
    new = change(stack([0.1] * 3, masks=[square(0)] * 3), current)
    assert change_in_words(new) == "+4.0 ml: from 0.0 ml to 4.0 ml"


def test_the_widest_outline_has_a_place_in_the_body_where_the_orientation_is_known() -> None:
    volume = np.zeros((3, 64, 64), np.float32)
    volume[:, 4:60, 4:60] = 0.5
    masks = [square(8, corner=(20, 10)), square(16, corner=(24, 40)), square(0)]
    known = tumor_volume(stack([0.9] * 3, masks=masks, volume=volume, orientation=AXIAL))
    assert known is not None and known.place == "on the patient's left"
    assert "The widest outline is on the patient's left." in volume_in_words(known, None)
    unknown = tumor_volume(stack([0.9] * 3, masks=masks, volume=volume))
    assert unknown is not None and unknown.place == "" and "patient" not in volume_in_words(unknown, None)


def test_stacks_of_different_patients_are_named() -> None:
    first, second = stack([0.9] * 3, patient="a"), stack([0.9] * 3, patient="b")
    warning = "The files name different patients."
    assert warning in change(first, second).warnings and warning not in change(first, first).warnings
    assert warning not in change(first, stack([0.9] * 3)).warnings  # not known


def test_different_geometry_and_sequence_are_named() -> None:
    masks = [square(10)] * 3
    prior = stack([0.9] * 3, masks=masks, orientation=AXIAL, sequence="T1")
    current = stack(
        [0.9] * 3,
        spacing=(0.5, 0.5),
        places=[0.0, 1.0, 2.0],
        masks=masks,
        orientation=CORONAL,
        sequence="FLAIR",
    )
    assert change(prior, current).warnings == (
        "The planes differ: axial and coronal.",
        "The sequences differ: T1 and FLAIR.",
        "The distance of the slices differs: 5.0 and 1.0 mm.",
        "The pixel spacing differs: 1.00 and 0.50 mm.",
    )
    unknown = stack([0.9] * 3)
    assert change(prior, unknown).warnings == (
        "The planes cannot be compared: axial and not known.",
        "The sequences cannot be compared: T1 and not known.",
    )
    assert change_in_words(change(prior, unknown)).startswith("No change in ml")
