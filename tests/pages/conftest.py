"""Fixtures that tests of several pages share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SCALES = {"gradcam": 0.01, "gradcam++": 0.02, "layercam": 0.2, "hirescam": 0.01, "scorecam": 0.5}


@pytest.fixture
def every_method(models_copy: Path) -> Path:
    """Networks whose cards know the scale of every method, and from where on a map marks a region."""
    for name in ("cnn", "vgg16"):
        card = models_copy / f"{name}.json"
        facts = json.loads(card.read_text())
        facts |= {"evidence_scale": SCALES, "evidence_threshold": dict.fromkeys(SCALES, 0.5)}
        card.write_text(json.dumps(facts))
    return models_copy
