"""Which frames form a stack, in which order, and which way is up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.series import AXIAL, CORONAL, SAGITTAL
from utils.scans import places
from utils.scans.decoded import FrameFacts


def frame(place: float, *weighting: str, repetition: tuple[str, ...] = (), orientation=AXIAL) -> FrameFacts:
    normal = np.cross(orientation[:3], orientation[3:])
    corner = tuple(float(n * place) for n in normal)
    return FrameFacts(tuple(orientation), corner, weighting=weighting, repetition=repetition)


def test_weightings_and_planes_are_stacks_of_their_own() -> None:
    facts = [frame(place, echo) for place in (0, 5) for echo in ("15", "90")]
    facts += [frame(place, "15", orientation=SAGITTAL) for place in (0, 5)]
    assert places.split_into_stacks(facts) == [[0, 2], [1, 3], [4, 5]]


def test_repetitions_split_only_where_places_repeat() -> None:
    moving = [frame(place, repetition=(f"time {place}",)) for place in (0, 5, 10)]
    assert places.split_into_stacks(moving) == [[0, 1, 2]]
    twice = [frame(place, repetition=(f"time {time}",)) for time in (1, 2) for place in (0, 5)]
    assert places.split_into_stacks(twice) == [[0, 1], [2, 3]]


def test_the_order_comes_from_positions_then_locations_then_numbers() -> None:
    def order(facts: list[FrameFacts], numbers: list[int | None]) -> tuple[list[int], str]:
        return places.in_order(facts, numbers, one_file=False)

    none: list[int | None] = [None] * 3
    assert order([frame(place) for place in (5, 0, 9)], none) == ([1, 0, 2], "")
    assert order([FrameFacts(corner=(0, 0, place)) for place in (5, 0, 9)], none) == ([1, 0, 2], "")
    assert order([FrameFacts(location=place) for place in (5, 0, 9)], none) == ([1, 0, 2], "")
    assert order([FrameFacts()] * 3, [2, 1, 3]) == ([1, 0, 2], "")
    assert order([FrameFacts()] * 3, none) == ([0, 1, 2], places.UNKNOWN_ORDER)
    assert order([FrameFacts()] * 3, [1, 1, 1]) == ([0, 1, 2], places.UNKNOWN_ORDER)


@pytest.mark.parametrize("upright", [AXIAL, SAGITTAL, CORONAL])
def test_images_of_the_three_planes_are_upright_as_they_are(upright) -> None:
    assert places.upright_turn(upright) == (False, False, False)
    assert places.upright_turn(()) == (False, False, False)


@given(st.sampled_from([AXIAL, SAGITTAL, CORONAL]), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_every_turned_image_comes_back_upright(upright, stored) -> None:
    """An image stored in any of the eight turns, with the orientation that says so, is shown as the upright one."""
    image = np.arange(12).reshape(3, 4)
    row, column = np.asarray(upright[:3]), np.asarray(upright[3:])
    transpose, rows, columns = stored
    # store it: reverse columns and rows, then transpose
    turned = image[:, ::-1] if columns else image
    turned = turned[::-1] if rows else turned
    row, column = (-row if columns else row), (-column if rows else column)
    if transpose:
        turned, row, column = turned.T, column, row
    turn = places.upright_turn([*row, *column])
    np.testing.assert_array_equal(places.turned(turned, turn), image)


def test_the_order_of_a_stack_does_not_depend_on_how_it_is_stored() -> None:
    mirrored = (-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)  # its own normal points the other way
    facts = [FrameFacts(mirrored, (0.0, 0.0, place)) for place in (5.0, 0.0)]
    assert places.in_order(facts, [None, None], False)[0] == [1, 0]


def test_sides_of_the_body_are_named_where_the_orientation_is_known() -> None:
    assert places.side_letters(AXIAL) == ("R", "L", "A", "P")
    assert places.side_letters(CORONAL) == ("R", "L", "S", "I")
    assert places.side_letters(SAGITTAL) == ("A", "P", "S", "I")
    assert places.side_letters(()) == ()
    slightly, oblique = np.radians(10), np.radians(30)
    for angle, sides in ((slightly, ("R", "L", "A", "P")), (oblique, ("R", "L", "AS", "PI"))):
        tilted = (1.0, 0.0, 0.0, 0.0, float(np.cos(angle)), float(-np.sin(angle)))
        assert places.side_letters(tilted) == sides


def test_orientation_is_turned_with_the_image() -> None:
    """Axial, stored with rows and columns exchanged and mirrored: what is shown is axial."""
    stored = (0.0, -1.0, 0.0, 1.0, 0.0, 0.0)
    assert places.turned_orientation(stored, places.upright_turn(stored)) == AXIAL
    assert places.turned_orientation((), (True, False, False)) == ()
