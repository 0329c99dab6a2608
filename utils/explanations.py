"""Class activation maps from the evidence layer, and how they are drawn over a scan."""

from __future__ import annotations

import keras
import numpy as np

METHODS = ("gradcam",)
CHUNK = 32  # maps computed at once; bounds the memory


def grad_cam(head: keras.Model, features: np.ndarray, classes: int) -> np.ndarray:
    """Grad-CAM of every class from the features of one forward pass.

    head: (N, h, w, k) -> (N, classes) logits, beginning with the linear activation `evidence`
    (`networks.split_at`); features: (N, h, w, k) float32. Returns (N, classes, h, w) float32, not negative,
    unnormalised. The gradient is that of the head alone, so a map costs a small part of a forward pass.
    Source: Selvaraju et al., "Grad-CAM", ICCV 2017; computed by tf-keras-vis.
    """
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    visualiser = Gradcam(head, clone=False)
    scans = max(CHUNK // classes, 1)
    maps = [
        visualiser(
            CategoricalScore(list(range(classes)) * len(chunk)),
            np.repeat(chunk, classes, axis=0),
            penultimate_layer="evidence",
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
        )
        for chunk in (features[start : start + scans] for start in range(0, len(features), scans))
    ]
    return np.concatenate(maps).reshape(len(features), classes, *features.shape[1:3]).astype(np.float32)
