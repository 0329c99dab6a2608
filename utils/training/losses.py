"""Loss functions: classification, localisation of the evidence, segmentation. Keras ops only."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import keras
import numpy as np

from utils.datasets.masks import BOX_LEVEL

BOX_FILL, BOX_WEIGHT = 0.33, 0.5  # least share of a box that the tumour fills; weight of its loss
IMAGE_AREA, IMAGE_WEIGHT = 0.004, 0.3  # share of the image that is certainly tumour there; weight of its loss
DICE_SMOOTHING = 1e-3  # of the image area: 50 pixels at 224 x 224


def evidence_targets(masks: np.ndarray, targets: np.ndarray, grid: int) -> np.ndarray:
    """(N, grid, grid, C) float32, 0..1: where the evidence for the one correct class should lie.

    All 0 where no mask is known. masks: (N, S, S) uint8; targets: (N, C), 1 for each correct class.
    """
    shares = np.stack([cv2.resize(mask, (grid, grid), interpolation=cv2.INTER_AREA) for mask in masks])
    peaks = shares.max(axis=(1, 2), keepdims=True).astype(np.float32)
    shares = shares / np.maximum(peaks, 1)
    return (shares[..., None] * targets[:, None, None, :]).astype(np.float32)


def classification_loss(label_smoothing: float = 0.0, distillation_weight: float = 0.0) -> Callable:
    """Cross-entropy for targets with one or more correct classes: minus the logarithm of their total probability.

    The loss takes (N, C) targets (1 for each correct class) and (N, C) logits and returns (N,); with one correct class
    it is the usual cross-entropy, smoothing included (Szegedy et al., CVPR 2016). Targets of (N, 2 C) end with the
    teachers' mean probabilities: the cross-entropy with them then has the weight `distillation_weight` (0..1), the
    labels the rest (Hinton et al. 2015; Beyer et al., "Knowledge distillation: a good teacher is patient and
    consistent", CVPR 2022).
    """

    def loss(targets, logits):
        logits = keras.ops.cast(logits, "float32")
        targets = keras.ops.cast(targets, "float32")
        classes = logits.shape[-1]
        log_all = keras.ops.logsumexp(logits, axis=-1)
        correct = log_all - keras.ops.logsumexp(logits - 1e9 * (1.0 - targets[:, :classes]), axis=-1)
        uniform = log_all - keras.ops.mean(logits, axis=-1)
        labelled = (1.0 - label_smoothing) * correct + label_smoothing * uniform
        if targets.shape[-1] == classes:
            return labelled
        distilled = log_all - keras.ops.sum(targets[:, classes:] * logits, axis=-1)
        return (1.0 - distillation_weight) * labelled + distillation_weight * distilled

    return loss


def localisation_loss(places, maps):
    """(N,) minus the logarithm of the share of a class's (softly rectified) evidence that lies inside the mask.

    places: `evidence_targets`; the loss is 0 where they are all 0. maps: (N, h, w, C), the contribution of each place
    to the logits. After Ross et al., "Right for the right reasons", IJCAI 2017.
    """
    maps = keras.ops.cast(maps, "float32")
    of_class = keras.ops.max(places, axis=(1, 2), keepdims=True)
    evidence = keras.ops.sum(maps * of_class, axis=-1)
    evidence = keras.ops.softplus(evidence)
    inside = keras.ops.sum(evidence * keras.ops.sum(places, axis=-1), axis=(1, 2)) + 1e-6
    missed = keras.ops.log(keras.ops.sum(evidence, axis=(1, 2)) + 1e-6) - keras.ops.log(inside)
    return missed * keras.ops.max(of_class, axis=(1, 2, 3))


def weak_segmentation_loss(masks, logits):
    """(N,) `segmentation_loss`; for images of which only a bounding box is known (masks of at most BOX_LEVEL) instead:

    nothing is segmented far from the box, and at least BOX_FILL of its area inside it. A box is coarse and may hold the
    core of a tumour only, so its surroundings, up to half its side, count for neither. After Kervadec et al., "Bounding
    boxes for weakly supervised segmentation", MIDL 2020.
    Where only the image is labelled (masks of at most IMAGE_LEVEL): minus the logarithm of the mean of the highest
    probabilities, on IMAGE_AREA of the image (multiple-instance learning; Durand et al., "WELDON", CVPR 2016).
    """
    ops = keras.ops
    image_axes = (1, 2, 3)
    masks, logits = ops.cast(masks, "float32"), ops.cast(logits, "float32")
    peaks = ops.max(masks, axis=image_axes)
    is_box = ops.cast(ops.logical_and(peaks > 0.1, peaks < 0.5), "float32")
    box = ops.cast(masks > 0.5 * BOX_LEVEL / 255, "float32")
    area = ops.sum(box, axis=image_axes)
    rows, columns = (ops.max(box, axis=(axis, 3)) for axis in (2, 1))
    far = 1.0 - _widened(rows)[:, :, None, None] * _widened(columns)[:, None, :, None]
    probabilities = ops.sigmoid(logits)
    smoothing = DICE_SMOOTHING * logits.shape[1] * logits.shape[2]
    missing = ops.relu(1.0 - ops.sum(probabilities * box, axis=image_axes) / (BOX_FILL * area + 1.0))
    outside = ops.sum(probabilities * far, axis=image_axes)
    outside = 1.0 - smoothing / (outside + smoothing) + ops.mean(ops.softplus(logits) * far, axis=image_axes)
    is_image = ops.cast(ops.logical_and(peaks > 0.02, peaks < 0.1), "float32")
    flat = ops.reshape(probabilities, (-1, logits.shape[1] * logits.shape[2]))
    highest = ops.top_k(flat, max(1, round(IMAGE_AREA * flat.shape[1])))[0]
    hidden = -ops.log(ops.mean(highest, axis=1) + 1e-3)
    weak = is_box * BOX_WEIGHT * (missing + outside) + is_image * IMAGE_WEIGHT * hidden
    return weak + (1.0 - is_box - is_image) * segmentation_loss(masks, logits)


def _widened(line):
    """(N, S) 0 or 1: a run of ones, longer by half its length on either side."""
    ops = keras.ops
    size = line.shape[1]
    places = ops.reshape(ops.arange(size, dtype="float32"), (1, size))
    first = ops.min(ops.where(line > 0, places, float(size)), axis=1, keepdims=True)
    last = ops.max(ops.where(line > 0, places, -1.0), axis=1, keepdims=True)
    half = (last - first + 1.0) / 2.0
    return ops.cast(ops.logical_and(places >= first - half, places <= last + half), "float32")


def segmentation_loss(masks, logits):
    """(N,) one minus the soft Dice overlap of an image, plus its mean binary cross-entropy (nats).

    masks: (N, S, S, 1) 0..1; logits: the same shape. The overlap is smoothed by DICE_SMOOTHING: for an empty mask it is
    1 where nothing is segmented, and 0.5 for a false region of that size.
    Source: Milletari et al., "V-Net", 3DV 2016; the sum of both: Isensee et al., "nnU-Net", Nature Methods 18 (2021).
    """
    masks, logits = keras.ops.cast(masks, "float32"), keras.ops.cast(logits, "float32")
    probabilities, image_axes = keras.ops.sigmoid(logits), (1, 2, 3)
    smoothing = DICE_SMOOTHING * logits.shape[1] * logits.shape[2]
    both = keras.ops.sum(probabilities * masks, axis=image_axes)
    total = keras.ops.sum(probabilities + masks, axis=image_axes)
    entropy = keras.ops.mean(keras.ops.softplus(logits) - masks * logits, axis=image_axes)
    return 1.0 - (2.0 * both + smoothing) / (total + smoothing) + entropy
