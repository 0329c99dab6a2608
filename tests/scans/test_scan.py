"""Scan, Stack and Refusal are immutable values."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from utils.scans.scan import Refusal, Scan, Stack


def test_a_scan_has_the_shape_of_its_pixels_and_cannot_be_changed() -> None:
    scan = Scan("a.png", np.zeros((36, 40), np.float32), "PNG")
    assert scan.shape == (36, 40)
    for value, name in ((scan, "name"), (Stack("a", (scan,)), "scans"), (Refusal("a", "No."), "reason")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, "other")
