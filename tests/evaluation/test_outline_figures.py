"""Outlines against masks: every figure by hand, empty masks, and the point at which healthy scans stay silent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from utils.evaluation.outline_figures import (
    MOST_FALSE,
    OUTLINE_FIGURES,
    Scored,
    compare,
    compare_all,
    fit_operating_point,
    in_words,
    outline_figures,
)
from utils.evidence.outlines import OperatingPoint
from utils.scans.preprocessing import Geometry

SIDE = 64


def square(top: int, left: int, side: int = 8) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[top : top + side, left : left + side] = True
    return mask


NOTHING = np.zeros((SIDE, SIDE), bool)


def test_half_an_overlap_by_hand() -> None:
    row = compare(square(0, 4), square(0, 0), SIDE)
    assert row == {
        "tumor_pixels": 64,
        "outline_pixels": 64,
        "overlap_pixels": 32,
        "size": 64 / 64**2,
        "tumors": 1,
        "found": 1,
    }


def test_no_tumour_and_no_outline() -> None:
    assert set(compare(NOTHING, NOTHING, SIDE).values()) == {0}
    false = compare(square(3, 3), NOTHING, SIDE)
    assert (false["outline_pixels"], false["tumors"], false["found"]) == (64, 0, 0)
    missed = compare(NOTHING, square(3, 3), SIDE)
    assert (missed["tumors"], missed["found"], missed["overlap_pixels"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("shared", "detected"), [(1, 0), (2, 1)]
)  # columns of 8: 8 of 120 and 16 of 112 pixels
def test_a_tumour_is_found_from_a_tenth_of_intersection_over_union_on(shared: int, detected: int) -> None:
    assert compare(square(0, 8 - shared), square(0, 0), SIDE)["found"] == detected


def test_each_tumour_counts_but_specks_do_not() -> None:
    truth = square(0, 0) | square(30, 30) | square(60, 60, 3)
    row = compare(square(30, 31), truth, SIDE)
    assert (row["tumors"], row["found"]) == (2, 1)
    assert compare(NOTHING, square(60, 60, 3) | square(0, 0, 2), SIDE)["tumors"] == 1


def test_an_outline_of_everything_finds_no_small_tumour() -> None:
    assert compare(~NOTHING, square(20, 20), SIDE)["found"] == 0


def table(*rows: tuple) -> pd.DataFrame:
    """Rows of source, group, target, then pixels of tumour, outline and overlap; one tumour each."""
    columns = ["source", "group", "target", "tumor_pixels", "outline_pixels", "overlap_pixels"]
    frame = pd.DataFrame(rows, columns=columns)
    tumour = frame["tumor_pixels"] > 0
    return frame.assign(
        size=frame["tumor_pixels"] / SIDE**2,
        tumors=tumour.astype(int),
        found=(frame["overlap_pixels"] > 0) * 1,
    )


TABLE = table(
    ("a", 1, "glioma", 100, 100, 100),
    ("a", 1, "glioma", 300, 100, 100),
    ("a", 2, "pituitary", 50, 30, 0),
    ("b", 3, "no_tumor", 0, 0, 0),
    ("b", 4, "no_tumor", 0, 20, 0),
    ("a", 5, "no_tumor", 0, 0, 0),
    ("a", 6, "no_tumor", 0, 0, 0),
)


def test_figures_by_hand() -> None:
    figures = outline_figures(TABLE, resamples=50)
    assert (figures["n"], figures["tumor_scans"], figures["healthy_scans"], figures["groups"]) == (7, 3, 4, 6)
    assert figures["dice"] == pytest.approx((1 + 0.5 + 0) / 3, abs=1e-6)
    assert figures["pooled_dice"] == pytest.approx(2 * 200 / (450 + 230), abs=1e-6)
    assert figures["iou"] == pytest.approx((1 + 1 / 3 + 0) / 3, abs=1e-6)
    assert figures["pooled_iou"] == pytest.approx(200 / (450 + 230 - 200), abs=1e-6)
    assert figures["sensitivity"] == pytest.approx(2 / 3, abs=1e-6)
    assert figures["false_outlines_per_100"] == 25.0
    for name in OUTLINE_FIGURES:
        low, high = figures[f"{name}_interval"]
        assert low <= figures[name] <= high and low < high


def test_figures_by_source_class_and_size() -> None:
    figures = outline_figures(TABLE, resamples=50)
    assert list(figures["classes"]) == ["glioma", "pituitary"]
    assert figures["classes"]["glioma"]["dice"] == 0.75
    assert figures["classes"]["glioma"]["dice_interval"] is None, "one patient alone tells no interval"
    assert figures["classes"]["glioma"]["false_outlines_per_100"] is None
    assert (
        figures["sources"]["b"]["dice"] is None and figures["sources"]["b"]["false_outlines_per_100"] == 50.0
    )
    assert figures["sources"]["a"]["false_outlines_per_100"] == 0.0
    assert {name: part["dice"] for name, part in figures["sizes"].items()} == {
        "small": 0,
        "medium": 1,
        "large": 0.5,
    }
    assert figures["sizes"]["large"]["from"] == figures["sizes"]["large"]["to"] == 300 / SIDE**2


def test_a_line_in_words() -> None:
    words = in_words(outline_figures(TABLE, resamples=50))
    assert words.startswith("3 scans with a tumour, 4 without, dice 0.500 (")
    assert "false outlines per 100 25.0 (" in words
    assert "dice" not in in_words(outline_figures(TABLE[3:], resamples=50))


def scored(truth: np.ndarray, *spots: tuple[np.ndarray, float]) -> Scored:
    probabilities = np.full((SIDE, SIDE), 0.02, np.float32)
    for where, probability in spots:
        probabilities[where] = probability
    return Scored(probabilities, Geometry((SIDE, SIDE), 0, 0, SIDE, SIDE, SIDE), truth)


TUMOURS = [
    scored(square(8, 8 + step), (square(8, 8 + step), 0.62), (square(50, 50, 2), 0.5)) for step in range(6)
]


def test_operating_point_draws_the_tumours_and_leaves_the_healthy_alone() -> None:
    healthy = [scored(NOTHING, (square(30, 30, 12), 0.91), (square(4, 4, 3), 0.6)) for _ in range(6)]
    tumours = [
        scored(square(8, 8 + step), (square(8, 8 + step), 0.62), (square(10, 10 + step, 2), 0.975))
        for step in range(6)
    ]
    point = fit_operating_point([*tumours, *healthy])
    assert point.threshold <= 0.6 and 0.9 < point.peak <= 0.97
    rows = compare_all([*tumours, *healthy], point)
    assert (rows["overlap_pixels"][:6] == 64).all() and (rows["outline_pixels"][:6] == 64).all()
    assert (rows["outline_pixels"][6:] == 0).all()


def test_a_speck_needs_a_higher_peak_than_a_large_part() -> None:
    point = OperatingPoint(0.5, 0.95, area_weight=2.0)
    peaks, areas = np.array([0.97, 0.97, 0.7, 0.9999]), np.array([0.01, 0.002, 0.05, 0.002])
    assert point.reached(peaks, areas).tolist() == [True, False, True, True]
    assert OperatingPoint(0.5, 0.95).reached(peaks, areas).tolist() == [True, True, False, True]
    healthy = [scored(NOTHING, (square(30, 30, 2), 0.98)) for _ in range(6)]
    tumours = [scored(square(8, 8 + step), (square(8, 8 + step), 0.75)) for step in range(6)]
    rows = compare_all([*tumours, *healthy], fit_operating_point([*tumours, *healthy]))
    assert (rows["overlap_pixels"][:6] > 0).all() and (rows["outline_pixels"][6:] == 0).all()


def test_false_outlines_are_allowed_up_to_the_limit_for_the_sake_of_dice() -> None:
    loud = scored(NOTHING, (square(30, 30, 12), 0.91))
    silent = [scored(NOTHING)] * round(1 / MOST_FALSE)
    for healthy, drawn in (([loud, *silent], True), ([loud, *silent[:10]], False)):  # 1 of 34; 1 of 11
        rows = compare_all(TUMOURS, fit_operating_point([*TUMOURS, *healthy]))
        assert (rows["overlap_pixels"] > 0).all() == drawn, "rather no outline than too many false ones"


def test_where_silence_cannot_be_had_the_fewest_false_outlines_are_taken() -> None:
    healthy = [scored(NOTHING, (square(20, 20, 20), 0.999)), scored(NOTHING, (square(20, 20, 20), 0.7))]
    point = fit_operating_point([*TUMOURS, *healthy])
    rows = compare_all(healthy, point)
    assert (rows["outline_pixels"] > 0).tolist() == [True, False]


def test_operating_point_scores_as_the_outlines_that_are_drawn_at_it() -> None:
    assert compare_all(TUMOURS, OperatingPoint(0.6, 0.0))["outline_pixels"].tolist() == [64] * 6
    assert compare_all(TUMOURS, OperatingPoint(0.45, 0.0))["outline_pixels"].tolist() == [68] * 6
