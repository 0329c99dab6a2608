from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def tiff(brain) -> bytes:
    """An image that goes through the decoder process."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(brain * 255).astype(np.uint8)).save(buffer, "TIFF")
    return buffer.getvalue()
