"""Facts about frames -> stacks: which frames belong together, in which order, and which way is up.

Frames of one stack lie in parallel planes, have one weighting (echo time, b-value, ...) and show each place once. The
decoder of a file with many frames uses this to choose the frames to decode, the upload to combine files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from utils.scans.decoded import FrameFacts

SAME_ORIENTATION = 0.05  # largest difference of a direction's cosine within one stack
SAME_PLACE = 0.01  # mm
UNKNOWN_ORDER = (
    "Nothing in these files gives the order of the slices; they are shown in the order of arrival."
)

# Row and column directions (left, posterior, superior) of upright images whose normal is the axis.
UPRIGHT = {
    0: ((0, 1, 0), (0, 0, -1)),  # sagittal: anterior on the left, superior on top
    1: ((1, 0, 0), (0, 0, -1)),  # coronal: the right side of the body on the left, superior on top
    2: ((1, 0, 0), (0, 1, 0)),  # axial: the right side of the body on the left, anterior on top
}
SIDES = ("RL", "AP", "IS")  # against and along each axis: left, posterior, superior
OBLIQUE = 0.26  # cosine (15 degrees) from which a second direction is named
PLANES = {0: "sagittal", 1: "coronal", 2: "axial"}
Turn = tuple[bool, bool, bool]  # transpose, then reverse the rows, then reverse the columns
BOTH = (False, True)
# The first one changes nothing and wins a tie
TURNS: tuple[Turn, ...] = tuple((a, b, c) for a in BOTH for b in BOTH for c in BOTH)


def split_into_stacks(facts: Sequence[FrameFacts]) -> list[list[int]]:
    """The positions of the frames of each stack, in order of their first frame."""
    groups = []
    for plane in _by_orientation(facts):
        by_weighting: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for index in plane:
            by_weighting[facts[index].weighting].append(index)
        for group in by_weighting.values():
            groups += _by_repetition(facts, group)
    return sorted(groups)


def in_order(
    facts: Sequence[FrameFacts], numbers: Sequence[int | None], one_file: bool
) -> tuple[list[int], str]:
    """The positions of a stack's frames from one end to the other, and a note, or "".

    Of several images of one place the first is kept. `numbers` are the InstanceNumbers; frames of `one_file` have an
    order even where nothing else is known.
    """
    arrival = list(range(len(facts)))
    numbered = sorted(arrival, key=lambda index: numbers[index] or 0)
    places = coordinates(facts)
    if places is None:
        is_known = one_file or len(facts) == 1 or (None not in numbers and len(set(numbers)) == len(facts))
        return numbered, "" if is_known else UNKNOWN_ORDER
    placed = sorted(numbered, key=lambda index: places[index])
    kept = placed[:1]
    for index in placed[1:]:
        if places[index] - places[kept[-1]] > SAME_PLACE:
            kept.append(index)
    if len(kept) == len(placed):
        return kept, ""
    if len(kept) == 1:  # repetitions of a single slice: in the order of time
        return numbered, ""
    return kept, f"Only the first of several images of each place is read ({len(kept)} of {len(placed)})."


def coordinates(facts: Sequence[FrameFacts]) -> list[float] | None:
    """The place of each frame along the normal of a stack in mm, None where the files do not say it.

    From positions and orientation; else from positions along the axis on which they differ most; else SliceLocation.
    """
    if all(len(frame.corner) == 3 for frame in facts):
        corners = np.asarray([frame.corner for frame in facts])
        if all(len(frame.orientation) == 6 for frame in facts):
            return [round(float(place), 3) for place in corners @ _normal(facts[0].orientation)]
        axis = int(np.argmax(np.ptp(corners, axis=0)))
        return [round(float(place), 3) for place in corners[:, axis]]
    locations = [frame.location for frame in facts if frame.location is not None]
    return locations if len(locations) == len(facts) else None


def upright_turn(orientation: Sequence[float]) -> Turn:
    """How to turn an image of an orientation so that it is upright in one of the three standard planes."""
    if len(orientation) != 6:
        return False, False, False
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    target_row, target_column = UPRIGHT[_normal_axis(orientation)]

    def alignment(turn: Turn) -> float:
        new_row, new_column = turned_directions(row, column, turn)
        return float(new_row @ target_row + new_column @ target_column)

    best = max(alignment(turn) for turn in TURNS)
    return next(turn for turn in TURNS if alignment(turn) >= best - 1e-3)


def plane_of(orientation: Sequence[float]) -> str:
    """The standard plane nearest to an orientation, "" where it is unknown."""
    return PLANES[_normal_axis(orientation)] if len(orientation) == 6 else ""


def turned_orientation(orientation: Sequence[float], turn: Turn) -> tuple[float, ...]:
    """The direction cosines of rows and columns after a turn; empty where they are unknown."""
    if len(orientation) != 6:
        return ()
    directions = turned_directions(np.asarray(orientation[:3]), np.asarray(orientation[3:]), turn)
    return tuple(float(cosine) + 0.0 for direction in directions for cosine in direction)


def side_letters(orientation: Sequence[float]) -> tuple[str, ...]:
    """The sides of the body at the left, right, top and bottom of an image; empty where they are unknown.

    Each is R, L, A, P, S or I; of an oblique image several, the nearest first.
    """
    if len(orientation) != 6:
        return ()
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    return tuple(_letters(direction) for direction in (-row, row, -column, column))


def _letters(direction: np.ndarray) -> str:
    axes = sorted(range(3), key=lambda axis: -abs(direction[axis]))
    return "".join(SIDES[axis][int(direction[axis] > 0)] for axis in axes if abs(direction[axis]) > OBLIQUE)


def turned(frame: np.ndarray, turn: Turn) -> np.ndarray:
    """A view of an (H, W) frame, turned."""
    transpose, rows, columns = turn
    frame = frame.T if transpose else frame
    frame = frame[::-1] if rows else frame
    return frame[:, ::-1] if columns else frame


def _normal_axis(orientation: Sequence[float]) -> int:
    return int(np.argmax(np.abs(np.cross(orientation[:3], orientation[3:]))))


def turned_directions(row: np.ndarray, column: np.ndarray, turn: Turn) -> tuple[np.ndarray, np.ndarray]:
    transpose, rows, columns = turn
    row, column = (column, row) if transpose else (row, column)
    return (-row if columns else row), (-column if rows else column)


def _normal(orientation: Sequence[float]) -> np.ndarray:
    """The normal of the upright image, so that the order of a stack does not depend on how it is stored."""
    row, column = np.asarray(orientation[:3]), np.asarray(orientation[3:])
    return np.cross(*turned_directions(row, column, upright_turn(orientation)))


def _by_orientation(facts: Sequence[FrameFacts]) -> list[list[int]]:
    groups: list[list[int]] = []
    for index, frame in enumerate(facts):
        for group in groups:
            first, other = facts[group[0]].orientation, frame.orientation
            if first == other or (
                len(first) == len(other) and np.allclose(first, other, atol=SAME_ORIENTATION)
            ):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _by_repetition(facts: Sequence[FrameFacts], group: list[int]) -> list[list[int]]:
    """Split frames by each entry of `repetition` that differs at one place; others say nothing about repetitions."""
    places = coordinates([facts[index] for index in group])
    if places is None:
        return [group]
    groups = [group]
    rounded = dict(zip(group, (round(place / SAME_PLACE) for place in places), strict=True))
    for entry in range(max(len(facts[index].repetition) for index in group)):
        parts: list[list[int]] = []
        for members in groups:
            values: dict[int, set[str]] = defaultdict(set)
            by_value: dict[str, list[int]] = defaultdict(list)
            for index in members:
                value = facts[index].repetition[entry] if entry < len(facts[index].repetition) else ""
                values[rounded[index]].add(value)
                by_value[value].append(index)
            is_split = len(values) > 1 and any(len(different) > 1 for different in values.values())
            parts += by_value.values() if is_split else [members]
        groups = parts
    return groups
