"""Class activation maps: what in a picture speaks for each class, by five methods. Gradients are those of the head.

Where an average over places and one dense layer follow (the CNN's evidence layer) the gradient is the same in every
place, so that HiResCAM is Grad-CAM, and Grad-CAM++ is LayerCAM; at earlier layers, and before VGG16's last
max-pooling, they differ.
Nothing here needs TensorFlow until a map is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
GRADIENT_METHODS = ("gradcam", "gradcam++", "layercam", "hirescam")
IN_LOGITS = (
    "gradcam",
    "hirescam",
)  # over a linear head: a place's contribution to the logit; the others have no unit
CHUNK = 64  # maps computed at once; bounds the memory
SCORED_CHANNELS = 32  # of Score-CAM: each costs a forward pass
SCORED_AT_ONCE = 8


def gradient_maps(
    head: keras.Model, tensors: Sequence[np.ndarray], classes: int, method: str = "gradcam"
) -> np.ndarray:
    """The maps of one of GRADIENT_METHODS, of every class, from the tensors of one forward pass.

    head: features (and shortcuts) -> (N, classes) logits, beginning with the linear activation `evidence`
    (`networks.split_at`); tensors: what its trunk gives, the features (N, h, w, k) float32 first. Returns
    (N, classes, h, w) float32, not negative, unnormalised. The gradient is that of the head alone, so a map costs a
    small part of a forward pass. They are the maps that tf-keras-vis makes of the whole network, but for Grad-CAM++:
    there the library's factor exp(logit), the same all over a map, is left out, or else maps of two scans could not be
    compared.

    Sources: Selvaraju et al., ICCV 2017 (Grad-CAM); Chattopadhay et al., WACV 2018 (Grad-CAM++); Jiang et al., IEEE
    Transactions on Image Processing 30, 2021 (LayerCAM); Draelos and Carin, arXiv 2011.08891 (HiResCAM: the sum over
    the channels of gradient times activation, rectified, which is LayerCAM with the gradients left unrectified).
    """
    from keras import ops
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
    from tf_keras_vis.layercam import Layercam

    kinds: dict[str, tuple[type, dict[str, Any]]] = {
        "gradcam": (Gradcam, {}),
        "gradcam++": (GradcamPlusPlus, {}),
        "layercam": (Layercam, {}),
        "hirescam": (Layercam, {"gradient_modifier": None}),
    }
    kind, options = kinds[method]
    visualiser = kind(head, clone=False)
    features = tensors[0]
    scans = max(CHUNK // classes, 1)
    maps = []
    for start in range(0, len(features), scans):
        repeated = [np.repeat(tensor[start : start + scans], classes, axis=0) for tensor in tensors]
        wanted = np.tile(np.eye(classes, dtype=np.float32), (len(repeated[0]) // classes, 1))

        def score(
            logits, wanted=wanted
        ):  # the library's CategoricalScore slices row by row: slower than the rest
            return ops.sum(logits * wanted, axis=-1)

        found = np.asarray(
            visualiser(
                score,
                repeated,
                penultimate_layer="evidence",
                seek_penultimate_conv_layer=False,
                expand_cam=False,
                normalize_cam=False,
                **options,
            )
        )
        if method == "gradcam++":
            logits = score(head(repeated if len(repeated) > 1 else repeated[0]))
            found = found / np.exp(ops.convert_to_numpy(logits))[:, None, None]
        maps.append(found)
    return np.concatenate(maps).reshape(len(features), classes, *features.shape[1:3]).astype(np.float32)


def score_cam(
    answer: Callable[[np.ndarray], np.ndarray],
    picture: np.ndarray,
    features: np.ndarray,
    channels: int = SCORED_CHANNELS,
    progress: Callable[[float], None] | None = None,
) -> np.ndarray:
    """Score-CAM of every class for one picture: channels weighted by what the network says to the picture seen through
    each of them.

    answer: (M, S, S, 1) float32 0..255 -> (M, C) logits, a whole forward pass; picture: (S, S) 0..255; features:
    (h, w, k) of the layer; only the `channels` that vary most are taken. `progress` is told the share that is done.
    Returns (C, h, w) float32, 0..1: the class's probability, averaged over the channels as strongly as each is active
    in a place.

    One set of passes serves all classes; tf-keras-vis would need one for each, mixes the channels of scans that come
    together, and its maps grow with the activations (the same but for that factor, which is our divisor). It applies
    softmax itself, so it must be given logits. Source: Wang et al., CVPR workshops 2020; the limit on the channels is
    that of Faster Score-CAM (tabayashi0117).
    """
    from utils.metrics.classification import softmax  # it brings pandas, which the first page does not need

    features = features.astype(np.float32)
    most = np.argsort(-features.std(axis=(0, 1)), kind="stable")[:channels]
    chosen = features[..., most].transpose(2, 0, 1)
    down = _stretching(chosen.shape[1], picture.shape[0])
    along = _stretching(chosen.shape[2], picture.shape[1])
    windows = down @ chosen @ along.T
    low, high = windows.min(axis=(1, 2), keepdims=True), windows.max(axis=(1, 2), keepdims=True)
    seen = (picture * ((windows - low) / (high - low + 1e-7)))[..., None].astype(np.float32)
    logits = []
    for start in range(0, len(seen), SCORED_AT_ONCE):
        logits.append(answer(seen[start : start + SCORED_AT_ONCE]))
        if progress:
            progress(min((start + SCORED_AT_ONCE) / len(seen), 1.0))
    weights = softmax(np.concatenate(logits))
    maps = np.maximum(np.einsum("nhw,nc->chw", chosen, weights), 0)
    return (maps / max(float(np.abs(chosen).max(axis=(1, 2)).sum()), 1e-12)).astype(np.float32)


def _stretching(short: int, long: int) -> np.ndarray:
    """(long, short) float32: linear interpolation of `short` values to `long`, ends on ends as in tf-keras-vis."""
    places = np.linspace(0, short - 1, long)
    return np.maximum(1 - np.abs(places[:, None] - np.arange(short)), 0).astype(np.float32)
