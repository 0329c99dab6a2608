"""Lengths, proportions and printable characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.reports.pdf_layout import bar_length, printable, scan_size


@given(st.floats(1e-3, 1e4))
def test_scale_bar_is_a_round_length_between_a_sixth_and_a_third(extent: float) -> None:
    length = bar_length(extent)
    assert extent / 7.6 < length <= extent / 3 * (1 + 1e-9)
    assert f"{length:.0e}"[0] in "125" and length == pytest.approx(float(f"{length:.0e}"))


def test_scan_fills_its_box() -> None:
    assert scan_size((100, 50), None, 200) == (100, 200)
    assert scan_size((100, 50), (0.5, 2.0), 200) == (200, 100)


@given(st.text(st.characters(exclude_categories=())))
def test_printed_text_has_glyphs_only(text: str) -> None:
    assert all(char == "\n" or char.isprintable() for char in printable(text))
    assert printable(printable(text)) == printable(text)
