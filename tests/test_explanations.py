"""Maps from the head alone are tf-keras-vis's maps of the whole network, and land where the evidence is."""

import keras
import numpy as np
import pytest
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
from tf_keras_vis.utils.scores import CategoricalScore

from utils.explanations import grad_cam
from utils.networks import BUILDERS, EVIDENCE_LAYERS, save_small, split_at


@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_head_gives_the_maps_of_the_whole_network(name: str, reloaded: bool, tmp_path) -> None:
    keras.utils.set_random_seed(3)
    network = BUILDERS[name](64)
    if reloaded:
        save_small(network, tmp_path / "network.keras")
        network = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    scans = np.random.default_rng(0).uniform(0, 255, (3, 64, 64, 1)).astype(np.float32)
    trunk, head = split_at(network, EVIDENCE_LAYERS[name])
    maps = grad_cam(head, np.asarray(trunk(scans)), 4)
    assert maps.shape == (3, 4, 4, 4) and maps.dtype == np.float32
    whole = Gradcam(network, model_modifier=ReplaceToLinear(), clone=True)
    for label in range(4):
        expected = whole(
            CategoricalScore([label] * 3),
            scans,
            penultimate_layer=EVIDENCE_LAYERS[name],
            seek_penultimate_conv_layer=False,
            expand_cam=False,
            normalize_cam=False,
        )
        np.testing.assert_allclose(maps[:, label], expected, rtol=1e-4, atol=1e-7)


def test_many_scans_at_once_are_what_each_is_alone() -> None:
    keras.utils.set_random_seed(4)
    trunk, head = split_at(BUILDERS["cnn"](64), EVIDENCE_LAYERS["cnn"])
    scans = np.random.default_rng(1).uniform(0, 255, (11, 64, 64, 1)).astype(np.float32)
    features = np.asarray(trunk(scans))
    together = grad_cam(head, features, 4)
    alone = np.concatenate([grad_cam(head, features[row : row + 1], 4) for row in range(11)])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-7)


def test_map_is_never_negative_and_follows_its_class() -> None:
    features = keras.Input((4, 4, 2), name="features")
    evidence = keras.layers.Activation("linear", name="evidence")(features)
    logits = keras.layers.Dense(2, use_bias=False, name="logits")(
        keras.layers.GlobalAveragePooling2D()(evidence)
    )
    head = keras.Model(features, logits)
    head.get_layer("logits").set_weights([np.asarray([[1.0, -1.0], [0.0, 1.0]], np.float32)])
    activation = np.zeros((1, 4, 4, 2), np.float32)
    activation[0, 1, 2, 0] = 8  # speaks for the first class, against the second
    activation[0, 3, 0, 1] = 4  # speaks for the second
    maps = grad_cam(head, activation, 2)[0]
    assert maps.min() == 0
    assert np.argwhere(maps[0]).tolist() == [[1, 2]]
    assert np.argwhere(maps[1]).tolist() == [[3, 0]]
    assert maps[0].sum() == pytest.approx(8 / 16)  # the share of the logit that comes from there
