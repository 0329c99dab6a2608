"""The networks are flat, complete in their file, and can be cut anywhere without changing what they compute."""

from typing import Any

import keras
import numpy as np
import pytest

from utils.networks.architectures import cnn, mobilenetv2, unet, vgg16
from utils.networks.registry import NETWORKS
from utils.networks.surgery import fold_normalisation, split_at, unfold_normalisation
from utils.networks.weights import load_base_weights, save_small

CLASSIFIERS = sorted(name for name, network in NETWORKS.items() if network.evidence_layer)


@pytest.fixture(params=sorted(NETWORKS))
def network(request: pytest.FixtureRequest) -> keras.Model:
    keras.utils.set_random_seed(1)
    return NETWORKS[request.param].builder(64, 1 if NETWORKS[request.param].is_segmenter else 4)


def scans(count: int = 2, size: int = 64) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 1)).astype(np.float32)


def test_probabilities_are_the_softmax_or_sigmoid_of_the_logits(network: keras.Model) -> None:
    logits = keras.Model(network.inputs, network.get_layer("logits").output)(scans())
    expected = keras.ops.sigmoid(logits) if network.name == "unet" else keras.ops.softmax(logits)
    np.testing.assert_allclose(network(scans()), expected, rtol=1e-5)


def test_graph_is_flat_and_free_of_custom_objects(network: keras.Model) -> None:
    for layer in network.layers:
        assert not isinstance(layer, (keras.Model, keras.layers.Lambda))
        assert type(layer).__module__.startswith("keras.")


@pytest.mark.parametrize("layer", ["evidence", "early"])
@pytest.mark.parametrize("network", CLASSIFIERS, indirect=True)
def test_trunk_and_head_together_are_the_network(network: keras.Model, layer: str) -> None:
    early = {
        "cnn": "stage1_block2",
        "vgg16": "block3_pool",
        "mobilenetv2": "block_6_expand_relu",
        "resnet101v2": "conv3_block3_out",
    }
    name = NETWORKS[network.name].evidence_layer if layer == "evidence" else early[network.name]
    trunk, head = split_at(network, name)
    whole = keras.Model(network.inputs, network.get_layer("logits").output)(scans())
    np.testing.assert_array_equal(head(trunk(scans())), whole)
    assert head.layers[1].name == "evidence"


def test_evidence_is_14_by_14_at_full_size() -> None:
    for name in CLASSIFIERS:
        network = NETWORKS[name].builder(224, 4)
        assert network.get_layer(NETWORKS[name].evidence_layer).output.shape[1:3] == (14, 14)


def test_parameter_counts_are_what_the_cards_promise() -> None:
    assert 1_000_000 <= cnn().count_params() <= 3_000_000
    application = keras.applications.VGG16(weights=None, include_top=False)
    assert unet().count_params() < 3_000_000
    assert vgg16().count_params() == application.count_params() + 512 * 4 + 4


def test_vgg16_computes_what_keras_applications_computes() -> None:
    keras.utils.set_random_seed(2)
    application = keras.applications.VGG16(weights=None, include_top=False, input_shape=(64, 64, 3))
    ours = vgg16(64)
    for layer in application.layers:
        if layer.weights:
            ours.get_layer(layer.name).set_weights(layer.get_weights())
    gray = scans(1)
    expected = application(keras.applications.vgg16.preprocess_input(np.repeat(gray, 3, axis=3)))
    trunk = keras.Model(ours.inputs, ours.get_layer("block5_pool").output)
    np.testing.assert_allclose(trunk(gray), expected, rtol=1e-3, atol=1e-3)


def test_small_file_loads_as_the_float32_network_it_was(network: keras.Model, tmp_path) -> None:
    file = tmp_path / "network.keras"
    save_small(network, file)
    loaded = keras.saving.load_model(file, compile=False, safe_mode=True)
    assert {str(variable.dtype) for variable in loaded.weights} == {"float32"}
    np.testing.assert_allclose(loaded(scans()), network(scans()), atol=2e-2)
    full = tmp_path / "full.keras"
    network.save(full)
    assert file.stat().st_size < 0.6 * full.stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full.keras", "network.keras"]


def test_base_weights_say_what_was_loaded_and_what_starts_fresh(tmp_path) -> None:
    network = vgg16(64)
    kernel = np.full((3, 3, 3, 64), 0.5, np.float32)
    base: dict[str, Any] = {"block1_conv1/kernel": kernel, "block1_conv1/bias": np.ones(64, np.float32)}
    np.savez(tmp_path / "base.npz", **base)
    loaded, fresh = load_base_weights(network, tmp_path / "base.npz")
    assert loaded == ["block1_conv1"]
    assert fresh[0] == "block1_conv2" and fresh[-1] == "logits" and len(fresh) == 13
    np.testing.assert_array_equal(network.get_layer("block1_conv1").get_weights()[0], kernel)


def test_base_weights_can_come_from_a_network_that_shares_layers(tmp_path) -> None:
    keras.utils.set_random_seed(3)
    trained, outliner = mobilenetv2(64), unet(96)
    trained.save(tmp_path / "mobilenetv2.keras")
    loaded, fresh = load_base_weights(outliner, tmp_path / "mobilenetv2.keras")
    shared = {layer.name for layer in outliner.layers} & {layer.name for layer in trained.layers}
    assert set(loaded) == {name for name in shared if outliner.get_layer(name).trainable_weights} - {"logits"}
    assert loaded and all(name.startswith(("up", "logits")) for name in fresh)
    for name in ("Conv1", "block_16_project_BN"):
        for own, other in zip(
            outliner.get_layer(name).get_weights(), trained.get_layer(name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(own, other)


def test_network_goes_on_with_its_last_layer_where_the_classes_are_as_many(tmp_path) -> None:
    keras.utils.set_random_seed(4)
    trained = vgg16(64)
    trained.save(tmp_path / "vgg16.keras")
    again, other = vgg16(64), vgg16(64, classes=7)
    assert load_base_weights(again, tmp_path / "vgg16.keras")[1] == []
    np.testing.assert_allclose(again(scans()), trained(scans()), atol=1e-6)
    assert load_base_weights(other, tmp_path / "vgg16.keras")[1] == ["logits"]


def test_base_weights_that_fit_nothing_are_refused(tmp_path) -> None:
    other: dict[str, Any] = {"other/kernel": np.zeros(3)}
    np.savez(tmp_path / "base.npz", **other)
    with pytest.raises(ValueError, match=r"base\.npz holds no weights for any layer of vgg16"):
        load_base_weights(vgg16(64), tmp_path / "base.npz")


def test_folded_network_computes_what_was_trained() -> None:
    keras.utils.set_random_seed(5)
    trained, plain = vgg16(64, normalised=["block4_conv1", "block5_conv3"]), vgg16(64)
    rng = np.random.default_rng(5)
    for name in ("block4_conv1_norm", "block5_conv3_norm"):
        weights = trained.get_layer(name).get_weights()
        trained.get_layer(name).set_weights([rng.uniform(0.5, 2, w.shape) for w in weights])
    fold_normalisation(trained, plain)
    np.testing.assert_allclose(plain(scans()), trained(scans()), rtol=1e-3, atol=1e-5)
    assert [layer.name for layer in plain.layers] == [layer.name for layer in vgg16(64).layers]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_copied_into_a_new_one(name: str) -> None:
    keras.utils.set_random_seed(5)
    trained, plain = NETWORKS[name].builder(64, 4), NETWORKS[name].builder(64, 4)
    fold_normalisation(trained, plain)
    for own, copied in zip(trained.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(own, copied)


def test_normalisation_can_be_added_to_a_network_without_a_change_of_what_it_computes() -> None:
    keras.utils.set_random_seed(6)
    plain, normalised = vgg16(64), ["block4_conv1", "block5_conv3"]
    trained = vgg16(64, normalised=normalised)
    for layer in plain.layers:
        trained.get_layer(layer.name).set_weights(layer.get_weights())
    unfold_normalisation(trained, normalised, scans())
    np.testing.assert_allclose(trained(scans()), plain(scans()), rtol=1e-3, atol=1e-5)
    pooled = keras.Model(trained.inputs, trained.get_layer("pooled").output)
    np.testing.assert_allclose(pooled(scans(), training=True), pooled(scans()), rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("size", [32, 96])
def test_unet_says_something_of_every_pixel(size: int) -> None:
    network = unet(size)
    assert network.output_shape == (None, size, size, 1)
    probabilities = np.asarray(network(scans(2, size)))
    assert probabilities.dtype == np.float32 and probabilities.min() >= 0 and probabilities.max() <= 1


def test_unet_sees_where_things_are() -> None:
    """What changes in one corner of the scan changes the answer there, at the scan's own resolution."""
    network, scan = unet(64), np.zeros((2, 64, 64, 1), np.float32)
    scan[1, 4:8, 50:54] = 255
    change = np.abs(np.diff(np.asarray(network(scan)), axis=0))[0, ..., 0]
    y, x = np.unravel_index(change.argmax(), change.shape)
    assert y < 16 and x > 42
