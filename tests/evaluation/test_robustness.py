"""Every change grows with its level and keeps what a scan is."""

from __future__ import annotations

import numpy as np
import pytest

from utils.evaluation.robustness import CHANGES


@pytest.mark.parametrize("name", CHANGES)
def test_a_stronger_change_takes_the_scan_further_away(name, brain):
    change, levels, _ = CHANGES[name]
    kept = brain.copy()
    distances = []
    for level in levels:
        changed = change(brain, level)
        assert changed.shape == brain.shape and changed.dtype == np.float32
        distances.append(float(np.abs(np.clip(changed, 0, 1) - brain).mean()))
    assert np.array_equal(brain, kept)
    assert distances[0] > 0 and distances == sorted(distances)
