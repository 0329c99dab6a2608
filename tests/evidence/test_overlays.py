"""Weak evidence looks weak, and no evidence looks like the scan."""

import cv2
import numpy as np

from utils.evidence.overlays import levels, overlay, palette
from utils.scans.rendering import gray_image, png


def test_no_evidence_is_the_plain_scan(brain) -> None:
    drawn = overlay(brain, np.zeros_like(brain), 1.0)
    np.testing.assert_array_equal(drawn, np.repeat(gray_image(brain)[..., None], 3, axis=2))


def test_stronger_evidence_changes_the_picture_more(brain) -> None:
    plain = overlay(brain, np.zeros_like(brain)).astype(int)
    change = [
        np.abs(overlay(brain, np.full_like(brain, level)).astype(int) - plain).sum()
        for level in (0.1, 0.5, 1)
    ]
    assert change[0] < change[1] < change[2]


def test_strength_beyond_the_scale_is_drawn_as_full(brain) -> None:
    full, beyond = (overlay(brain, np.full_like(brain, level)) for level in (1.0, 5.0))
    np.testing.assert_array_equal(full, beyond)


def test_threshold_hides_what_is_weaker(brain) -> None:
    strength = np.zeros_like(brain)
    strength[:50], strength[100:150] = 0.3, 0.8
    drawn = overlay(brain, strength, threshold=0.5)
    plain = overlay(brain, np.zeros_like(brain))
    np.testing.assert_array_equal(drawn[:50], plain[:50])
    assert (drawn[100:150] != plain[100:150]).any()


def test_browser_s_recipe_gives_the_same_picture(brain) -> None:
    """The viewer colours levels by the palette and takes the level for the opacity."""
    strength = np.linspace(0, 1.4, brain.size, dtype=np.float32).reshape(brain.shape)
    level = levels(strength)
    alpha = 0.6 * level[..., None] / 255
    drawn = gray_image(brain)[..., None] * (1 - alpha) + palette()[level] * alpha
    np.testing.assert_allclose(drawn, overlay(brain, strength, 0.6), atol=1.1)


def test_png_keeps_the_colours() -> None:
    red = np.zeros((4, 5, 3), np.uint8)
    red[..., 0] = 255
    decoded = cv2.imdecode(np.frombuffer(png(red), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == (4, 5, 3) and decoded[0, 0].tolist() == [0, 0, 255]
