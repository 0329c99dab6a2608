"""Maps from the head alone are tf-keras-vis's maps of the whole network, and land where the evidence is."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from tf_keras_vis.gradcam import Gradcam
from tf_keras_vis.gradcam_plus_plus import GradcamPlusPlus
from tf_keras_vis.layercam import Layercam
from tf_keras_vis.scorecam import Scorecam
from tf_keras_vis.utils.scores import CategoricalScore

from utils.evidence.cams import GRADIENT_METHODS, METHODS, gradient_maps, score_cam
from utils.evidence.linear_maps import LinearHead, linear_maps
from utils.networks.registry import NETWORKS, app_networks
from utils.networks.runtime.archive import layers_of
from utils.networks.surgery import logits_of, map_layers, split_at
from utils.networks.weights import save_small
from utils.reading.heads import linear_head
from utils.reading.reader import Reader
from utils.scans.scan import Scan

LIBRARY = {"gradcam": Gradcam, "gradcam++": GradcamPlusPlus, "layercam": Layercam}
LINEAR = ("cnn", "vgg16")  # behind their evidence layers
INNER_LAYERS = {  # before the evidence layer, three of them inside a residual block
    "cnn": "stage3_block2_1_conv",
    "vgg16": "block4_conv2",
    "mobilenetv2": "block_12_depthwise",
    "resnet101v2": "conv4_block21_2_conv",
}


def network_of(name: str, tmp_path=None) -> keras.Model:
    keras.utils.set_random_seed(3)
    network = NETWORKS[name].builder(64, 1 if NETWORKS[name].is_segmenter else 4)
    if tmp_path is None:
        return network
    save_small(network, tmp_path / "network.keras")
    return keras.saving.load_model(tmp_path / "network.keras", compile=False)


def library_maps(method: str, network: keras.Model, scan: np.ndarray, layer: str) -> np.ndarray:
    """(4, h, w): the maps of tf-keras-vis for the whole network, for one scan (S, S, 1) and every class."""
    maps = LIBRARY[method](logits_of(network), clone=False)(
        CategoricalScore([0, 1, 2, 3]),
        np.repeat(scan[None], 4, axis=0),
        penultimate_layer=layer,
        seek_penultimate_conv_layer=False,
        expand_cam=False,
        normalize_cam=False,
    )
    return np.asarray(maps)


def tensors_of(trunk: keras.Model, scan: np.ndarray) -> list[np.ndarray]:
    outputs = trunk([scan[None]])
    return [np.asarray(tensor) for tensor in (outputs if isinstance(outputs, list) else [outputs])]


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize("reloaded", [False, True])
@pytest.mark.parametrize("name", app_networks())
def test_head_gives_the_maps_of_the_whole_network(name: str, reloaded: bool, inner: bool, tmp_path) -> None:
    network = network_of(name, tmp_path if reloaded else None)
    layer = INNER_LAYERS[name] if inner else NETWORKS[name].evidence_layer
    scan = np.random.default_rng(0).uniform(0, 255, (64, 64, 1)).astype(np.float32)
    trunk, head = split_at(network, layer)
    tensors = tensors_of(trunk, scan)
    closed_form = linear_head(
        layers_of(network.get_config()), layer, network.get_layer("logits").get_weights()
    )
    assert bool(closed_form) == (name in LINEAR and not inner)
    for method in LIBRARY:
        maps = gradient_maps(head, tensors, 4, method)[0]
        assert maps.dtype == np.float32 and maps.shape == (4, *tensors[0].shape[1:3])
        factor = np.ones(4)
        if method == "gradcam++":
            factor = np.exp(np.asarray(logits_of(network)([scan[None]]))[0])
        expected = library_maps(method, network, scan, layer) / factor[:, None, None]
        assert expected.max() > 0
        np.testing.assert_allclose(maps, expected, rtol=2e-3, atol=2e-4 * expected.max(), err_msg=method)
        if closed_form:
            closed = linear_maps(closed_form, tensors[0], method)[0]
            assert closed.dtype == np.float32
            np.testing.assert_allclose(
                closed, expected, rtol=2e-3, atol=2e-4 * expected.max(), err_msg=method
            )
    if closed_form:
        hires = gradient_maps(head, tensors, 4, "hirescam")
        np.testing.assert_allclose(
            linear_maps(closed_form, tensors[0], "hirescam"), hires, rtol=2e-3, atol=2e-4 * hires.max()
        )


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_many_scans_at_once_are_what_each_is_alone(method: str) -> None:
    keras.utils.set_random_seed(4)
    trunk, head = split_at(NETWORKS["cnn"].builder(64, 4), NETWORKS["cnn"].evidence_layer)
    scans = np.random.default_rng(1).uniform(0, 255, (19, 64, 64, 1)).astype(np.float32)
    features = np.asarray(trunk([scans]))
    batched = gradient_maps(head, [features], 4, method)
    alone = np.concatenate([gradient_maps(head, [features[row : row + 1]], 4, method) for row in range(19)])
    np.testing.assert_allclose(batched, alone, rtol=1e-4, atol=1e-7)


def test_over_a_linear_head_two_and_two_methods_are_one() -> None:
    trunk, head = split_at(network_of("cnn"), NETWORKS["cnn"].evidence_layer)
    scan = np.random.default_rng(2).uniform(0, 255, (64, 64, 1)).astype(np.float32)
    maps = {method: gradient_maps(head, tensors_of(trunk, scan), 4, method) for method in GRADIENT_METHODS}
    np.testing.assert_allclose(maps["hirescam"], maps["gradcam"], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(maps["gradcam++"], maps["layercam"], rtol=1e-3, atol=1e-6)
    assert not np.allclose(maps["layercam"], maps["gradcam"], rtol=1e-2, atol=1e-4)


def pooled_head(shape: tuple[int, int], window: tuple[int, int]) -> tuple[keras.Model, LinearHead]:
    """The same head as a Keras model and for the closed form."""
    keras.utils.set_random_seed(8)
    features = keras.Input((*shape, 6), name="features")
    x = keras.layers.Activation("linear", name="evidence")(features)
    x = keras.layers.MaxPooling2D(window)(x)
    dense = keras.layers.Dense(3, name="logits")
    model = keras.Model(features, dense(keras.layers.GlobalAveragePooling2D()(x)))
    return model, LinearHead(dense.get_weights()[0], window)


@pytest.mark.parametrize(("shape", "window"), [((6, 4), (2, 2)), ((7, 5), (2, 2)), ((7, 8), (3, 2))])
@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_closed_form_through_max_pooling(
    method: str, shape: tuple[int, int], window: tuple[int, int]
) -> None:
    """Also with rows and columns that the pooling leaves over, and with equal features in a window."""
    model, head = pooled_head(shape, window)
    features = np.random.default_rng(9).integers(0, 4, (2, *shape, 6)).astype(np.float32)
    expected = gradient_maps(model, [features], 3, method)
    assert expected.max() > 0
    np.testing.assert_allclose(linear_maps(head, features, method), expected, rtol=1e-3, atol=1e-5)


def test_hirescam_is_gradient_times_activation() -> None:
    """Against its definition, the gradients taken by central differences through a head that is not linear."""
    keras.utils.set_random_seed(5)
    features = keras.Input((3, 4, 2), name="features")
    x = keras.layers.Activation("linear", name="evidence")(features)
    x = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(x)
    logits = keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(x))
    head = keras.Model(features, logits)
    activation = np.random.default_rng(6).normal(size=(3, 4, 2)).astype(np.float32)
    step = 1e-2
    gradients = np.zeros((2, 3, 4, 2))
    for place in np.ndindex(3, 4, 2):
        moved = np.stack([activation, activation])
        moved[0][place] += step
        moved[1][place] -= step
        above, below = np.asarray(head(moved), np.float64)
        gradients[(slice(None), *place)] = (above - below) / (2 * step)
    expected = np.maximum((gradients * activation).sum(axis=-1), 0)
    maps = gradient_maps(head, [activation[None]], 2, "hirescam")[0]
    assert (expected > 0).any() and (expected == 0).any()
    np.testing.assert_allclose(maps, expected, rtol=1e-2, atol=1e-3)
    assert not np.allclose(maps, gradient_maps(head, [activation[None]], 2, "gradcam")[0], atol=1e-2)


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
    for method in GRADIENT_METHODS:
        maps = gradient_maps(head, [activation], 2, method)[0]
        assert maps.min() == 0
        assert np.argwhere(maps[0]).tolist() == [[1, 2]]
        assert np.argwhere(maps[1]).tolist() == [[3, 0]]
        assert maps[0].sum() == pytest.approx(8 / 16)  # the share of the logit that comes from there


# Score-CAM


@pytest.mark.parametrize("channels", [5, 24])
def test_score_cam_is_that_of_the_library_but_for_a_factor(channels: int, capsys) -> None:
    """On a tiny network, all channels and the most varied ones; the library gets the network's logits."""
    network = network_of("cnn")
    answering = logits_of(network)
    scan = np.random.default_rng(7).uniform(0, 255, (64, 64, 1)).astype(np.float32)
    features = np.asarray(split_at(network, "stem")[0]([scan[None]]))[0]
    assert features.shape == (32, 32, 24)
    progress: list[float] = []
    maps = score_cam(answering.predict_on_batch, scan[..., 0], features, channels, progress.append)
    assert maps.shape == (4, 32, 32) and maps.dtype == np.float32 and 0 <= maps.min() < maps.max() <= 1
    assert progress == sorted(progress) and progress[-1] == 1
    largest = np.sort(features.std(axis=(0, 1)))[::-1][channels - 1]
    divisor = features.max(axis=(0, 1))[features.std(axis=(0, 1)) >= largest].sum()
    for label in range(4):
        expected = Scorecam(answering)(
            CategoricalScore(label),
            scan[None],
            penultimate_layer="stem",
            seek_penultimate_conv_layer=False,
            max_N=channels,
            expand_cam=False,
            normalize_cam=False,
        )
        np.testing.assert_allclose(maps[label] * divisor, np.asarray(expected)[0], rtol=1e-3, atol=1e-5)


def test_score_cam_of_a_class_that_nothing_speaks_for_is_dark() -> None:
    def answer(inputs: np.ndarray) -> np.ndarray:
        return np.tile(np.asarray([20.0, 0.0], np.float32), (len(inputs), 1))

    features = np.random.default_rng(8).random((4, 4, 6)).astype(np.float32)
    maps = score_cam(answer, np.full((16, 16), 100.0, np.float32), features)
    assert maps[0].max() > 0.3 and maps[1].max() < 1e-6
    assert not score_cam(answer, np.full((16, 16), 100.0, np.float32), np.zeros((4, 4, 6), np.float32)).any()


# on the scan


@pytest.mark.parametrize("layer", [None, "spots"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape, spot", [((300, 420), (60, 330)), ((420, 260), (350, 100))])
def test_map_lands_on_its_spot_in_an_off_centre_oblong_scan(
    bright_reader: Reader, method: str, layer: str | None, shape: tuple[int, int], spot: tuple[int, int]
) -> None:
    """A head in a corner of an oblong image, the spot that the network detects at one side of the head."""
    row, column = spot
    pixels = np.zeros(shape, np.float32)
    pixels[row - 30 : row + 50, column - 80 : column + 40] = 0.5
    pixels[row - 5 : row + 6, column - 5 : column + 6] = 1.0
    scan = Scan("oblong", pixels, "PNG")
    reading = bright_reader.explain(scan, bright_reader.read(scan), method, layer)
    evidence = reading.evidence("glioma")
    assert evidence.shape == shape and evidence.dtype == np.float32 and evidence.max() > 0
    peak = np.argwhere(evidence == evidence.max()).mean(axis=0)
    assert np.abs(peak - spot).max() < 5
    if method == "scorecam":
        return  # its weights are probabilities, never 0: every channel adds a little where it is active
    rows, columns = np.indices(shape)
    centre = [(evidence * places).sum() / evidence.sum() for places in (rows, columns)]
    assert np.abs(np.asarray(centre) - spot).max() < 5
    near = (np.abs(rows - row) < 20) & (np.abs(columns - column) < 20)
    assert evidence[near].sum() > 0.9 * evidence.sum()


def test_strength_of_a_layer_does_not_depend_on_its_resolution(bright_reader: Reader) -> None:
    pixels = np.zeros((120, 100), np.float32)
    pixels[10:110, 10:90] = 0.5
    pixels[40:80, 40:80] = 1.0
    scan = Scan("spot", pixels, "PNG")
    reading = bright_reader.read(scan)
    for method in ("gradcam", "layercam", "hirescam"):
        coarse, fine = (
            bright_reader.explain(scan, reading, method, layer).strength("glioma", 1.0)[60, 60]
            for layer in ("cells", "spots")
        )
        assert coarse == pytest.approx(reading.evidence("glioma")[60, 60] / 2.0, rel=1e-2)  # the temperature
        assert fine == pytest.approx(coarse, rel=1e-2)


def test_every_layer_of_a_network_has_maps(tiny_readers: list[Reader], brain) -> None:
    reader, scan = tiny_readers[0], Scan("brain", brain, "PNG")
    reading = reader.read(scan)
    assert {"stem_conv", "stage2_block1_shortcut_conv", NETWORKS["cnn"].evidence_layer} <= set(reader.layers)
    assert map_layers(NETWORKS["vgg16"].builder(64, 4)) == tuple(
        f"block{block}_conv{number}"
        for block, count in enumerate((2, 2, 3, 3, 3), start=1)
        for number in range(1, count + 1)
    )
    for layer in reader.layers:
        explained = reader.explain(scan, reading, "layercam", layer)
        assert (explained.method, explained.layer) == ("layercam", layer)
        assert (
            explained.maps.shape[0] == 4 and explained.maps.min() >= 0 and np.isfinite(explained.maps).all()
        )
        assert explained.evidence("glioma").shape == scan.shape
    np.testing.assert_allclose(reader.explain(scan, reading).maps, reading.maps, rtol=2e-3, atol=1e-4)
    with pytest.raises(ValueError, match="no layer logits"):
        reader.explain(scan, reading, layer="logits")


def test_score_cam_of_a_reader_tells_its_progress(tiny_readers: list[Reader], brain) -> None:
    progress: list[float] = []
    reader, scan = tiny_readers[0], Scan("brain", brain, "PNG")
    reading = reader.explain(scan, reader.read(scan), "scorecam", progress=progress.append)
    assert reading.maps.shape == (4, 4, 4) and progress[-1] == 1
    np.testing.assert_array_equal(
        reading.strength("glioma", 0.5), reading.evidence("glioma") / 0.5
    )  # no temperature
