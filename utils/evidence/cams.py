"""Class activation maps: the evidence in an image for each class, by five methods.

Gradients are those of the head, the part of a network behind the evidence layer. Where global average pooling and one
dense layer follow (the CNN's evidence layer), the gradient is the same at every position, so that HiResCAM equals
Grad-CAM and Grad-CAM++ equals LayerCAM. At earlier layers, and before VGG16's last max-pooling, they differ.
`linear_maps` has the maps of such heads in closed form. Those of other heads need TensorFlow, which is imported with
the first of them.

To add a gradient method, write one function like `_layercam` and add it to `_GRADIENT_METHODS` with its title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from utils.metrics.softmax import softmax

if TYPE_CHECKING:
    import keras

METHOD_TITLES = {
    "gradcam": "Grad-CAM",
    "gradcam++": "Grad-CAM++",
    "layercam": "LayerCAM",
    "hirescam": "HiResCAM",
    "scorecam": "Score-CAM",
}
METHODS = tuple(METHOD_TITLES)
# Behind a linear head, the value at a position is its contribution to the logit; maps of other methods have no unit.
IN_LOGITS = ("gradcam", "hirescam")
CHUNK = 64  # maps computed at once; bounds the memory
SCORED_CHANNELS = 32  # of Score-CAM: each costs a forward pass
SCORED_AT_ONCE = 8

Score = Callable[[Any], Any]  # (N, classes) logits -> (N,) the logit of each row's class


def gradient_maps(
    head: keras.Model, tensors: Sequence[np.ndarray], classes: int, method: str = "gradcam"
) -> np.ndarray:
    """The maps of every class by one of GRADIENT_METHODS, from the tensors of one forward pass.

    head: features (and shortcuts) -> (N, classes) logits, beginning with the linear activation `evidence`
    (`split_at` in utils.networks); tensors: the outputs of its trunk, the features (N, h, w, k) float32 first. Returns
    (N, classes, h, w) float32, not negative, unnormalised. Only the head is differentiated, so a map costs a fraction
    of a forward pass. The maps equal those of tf-keras-vis on the whole network, except that Grad-CAM++ omits the
    library's factor exp(logit): it is constant over a map, and would make maps of two scans incomparable.

    Sources: Selvaraju et al., ICCV 2017 (Grad-CAM); Chattopadhay et al., WACV 2018 (Grad-CAM++); Jiang et al., IEEE
    Transactions on Image Processing 30, 2021 (LayerCAM); Draelos and Carin, arXiv 2011.08891 (HiResCAM).
    """
    from keras import ops

    compute = _GRADIENT_METHODS[method]
    features = tensors[0]
    scans = max(CHUNK // classes, 1)
    maps = []
    for start in range(0, len(features), scans):
        repeated = [np.repeat(tensor[start : start + scans], classes, axis=0) for tensor in tensors]
        one_hot = np.tile(np.eye(classes, dtype=np.float32), (len(repeated[0]) // classes, 1))

        def score(logits, one_hot=one_hot):  # the library's CategoricalScore slices row by row and is slower
            return ops.sum(logits * one_hot, axis=-1)

        maps.append(compute(head, score, repeated))
    return np.concatenate(maps).reshape(len(features), classes, *features.shape[1:3]).astype(np.float32)


def _gradcam(head: keras.Model, score: Score, tensors: list[np.ndarray]) -> np.ndarray:
    from tf_keras_vis.gradcam import Gradcam

    return _library_maps(Gradcam, head, score, tensors)


def _gradcam_plus_plus(head: keras.Model, score: Score, tensors: list[np.ndarray]) -> np.ndarray:
    from keras import ops
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus

    maps = _library_maps(GradcamPlusPlus, head, score, tensors)
    logits = score(head(tensors if len(tensors) > 1 else tensors[0]))
    return maps / np.exp(ops.convert_to_numpy(logits))[:, None, None]


def _layercam(head: keras.Model, score: Score, tensors: list[np.ndarray]) -> np.ndarray:
    from tf_keras_vis.layercam import Layercam

    return _library_maps(Layercam, head, score, tensors)


def _hirescam(head: keras.Model, score: Score, tensors: list[np.ndarray]) -> np.ndarray:
    """The rectified sum over channels of gradient times activation: LayerCAM without rectified gradients."""
    from tf_keras_vis.layercam import Layercam

    return _library_maps(Layercam, head, score, tensors, gradient_modifier=None)


_GRADIENT_METHODS = {
    "gradcam": _gradcam,
    "gradcam++": _gradcam_plus_plus,
    "layercam": _layercam,
    "hirescam": _hirescam,
}
GRADIENT_METHODS = tuple(_GRADIENT_METHODS)


def _library_maps(
    method: type, head: keras.Model, score: Score, tensors: list[np.ndarray], **options: Any
) -> np.ndarray:
    """(N, h, w): the maps of a class of tf-keras-vis, one for each row of the tensors."""
    maps = method(head, clone=False)(
        score,
        tensors,
        penultimate_layer="evidence",
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
        **options,
    )
    return np.asarray(maps)


def score_cam(
    predict_logits: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    features: np.ndarray,
    channels: int = SCORED_CHANNELS,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Score-CAM of every class for one image: channels weighted by the prediction for the image masked with them.

    predict_logits: (M, S, S, 1) float32 0..255 -> (M, C) logits, a whole forward pass; image: (S, S) 0..255; features:
    (h, w, k) of the layer, of which the `channels` with the largest variance are used. `progress` is called with the
    share that is done (0..1). Returns (C, h, w) float32, 0..1: at each position the probability of the class, averaged
    over the channels with their activations as weights.

    One set of forward passes serves all classes; tf-keras-vis needs one per class, mixes the channels of the scans of a
    batch, and its maps grow with the activations (they differ by that factor, the divisor here). It applies softmax
    itself and so needs logits. Source: Wang et al., CVPR workshops 2020; the limit on channels is that of Faster
    Score-CAM (tabayashi0117).
    """
    features = features.astype(np.float32)
    most = np.argsort(-features.std(axis=(0, 1)), kind="stable")[:channels]
    chosen = features[..., most].transpose(2, 0, 1)
    down = _interpolation(chosen.shape[1], image.shape[0])
    along = _interpolation(chosen.shape[2], image.shape[1])
    windows = down @ chosen @ along.T
    low, high = windows.min(axis=(1, 2), keepdims=True), windows.max(axis=(1, 2), keepdims=True)
    masked = (image * ((windows - low) / (high - low + 1e-7)))[..., None].astype(np.float32)
    logits = []
    for start in range(0, len(masked), SCORED_AT_ONCE):
        logits.append(predict_logits(masked[start : start + SCORED_AT_ONCE]))
        if progress:
            progress(min((start + SCORED_AT_ONCE) / len(masked), 1.0))
    weights = softmax(np.concatenate(logits))
    maps = np.maximum(np.einsum("nhw,nc->chw", chosen, weights), 0)
    return (maps / max(float(np.abs(chosen).max(axis=(1, 2)).sum()), 1e-12)).astype(np.float32)


def _interpolation(short: int, long: int) -> np.ndarray:
    """(long, short) float32: weights of a linear interpolation with aligned ends, as in tf-keras-vis."""
    positions = np.linspace(0, short - 1, long)
    return np.maximum(1 - np.abs(positions[:, None] - np.arange(short)), 0).astype(np.float32)
