"""Does a map lie on the tumour? One map against one mask, both on the scan's pixels. Pure functions.

Definitions as in Quantus (Hedstroem et al., JMLR 24, 2023), but that a map without any evidence misses.
"""

from __future__ import annotations

import numpy as np


def points_at(evidence: np.ndarray, mask: np.ndarray) -> bool:
    """Pointing game: whether the peak activation of a map (H, W) lies in the mask (H, W) bool.

    One of several equally strong places is enough; there is no tolerance around the mask. Source: Zhang et al.,
    "Top-down neural attention by excitation backprop", IJCV 126 (2018).
    """
    peak = evidence.max()
    return bool(peak > 0 and mask[evidence == peak].any())


def energy_inside(evidence: np.ndarray, mask: np.ndarray) -> float:
    """Relevance mass accuracy: the share of a map (H, W), not negative, that lies in the mask; 0 for an empty map.

    Source: Arras et al., "CLEVR-XAI", Information Fusion 81 (2022).
    """
    total = float(evidence.sum(dtype=np.float64))
    return float(evidence[mask].sum(dtype=np.float64) / total) if total > 0 else 0.0


def uniform_energy_inside(head: np.ndarray, mask: np.ndarray) -> float:
    """The same share for a map that is even all over the head (H, W) bool: what knowing nothing gives."""
    return energy_inside(head.astype(np.float32), mask)
