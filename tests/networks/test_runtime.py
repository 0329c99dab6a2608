"""OpenVINO computes what Keras computes, from the .keras file alone; what it converted is cached."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.networks import change_card
from utils.networks.cards import Card, load_card
from utils.networks.registry import NETWORKS
from utils.networks.runtime import archive, graph, openvino_backend
from utils.networks.runtime.archive import UnsupportedNetwork
from utils.networks.runtime.backend import open_network
from utils.networks.runtime.choice import FLOAT32, KERAS
from utils.networks.runtime.keras_backend import KerasBackend
from utils.networks.surgery import map_layers
from utils.paths import REPOSITORY, file_sha256


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "brain-mri-reader" / "networks"


def card_of(network: keras.Model, folder: Path) -> Card:
    """The network in a file, with a card."""
    network.save(folder / f"{network.name}.keras")
    return Card(
        file=folder / f"{network.name}.json",
        name=network.name,
        task="four-class",
        classes=("a", "b"),
        input_size=network.input_shape[1],
        evidence_layer="",
        temperature=1.0,
        weights_sha256=file_sha256(folder / f"{network.name}.keras"),
    )


def with_random_statistics(network: keras.Model) -> keras.Model:
    """Batch normalisations that do something: fresh ones have the mean 0 and the variance 1."""
    rng = np.random.default_rng(2)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, array.shape) for array in layer.get_weights()])
    return network


def scans(count: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (count, size, size, 1)).astype(np.float32)


def assert_equal_to_keras(network: keras.Model, outputs: tuple[str, ...], folder: Path) -> None:
    backend = open_network(card_of(network, folder), outputs)
    reference = KerasBackend(network, outputs)
    assert (backend.runtime, reference.runtime) == (FLOAT32, KERAS)
    inputs = scans(3, network.input_shape[1])
    expected = reference.run(inputs)
    for count in (3, 1):
        for fresh, whole in zip(backend.run(inputs[:count]), expected, strict=True):
            assert fresh.shape == whole[:count].shape and fresh.dtype == np.float32
            np.testing.assert_allclose(fresh, whole[:count], rtol=1e-4, atol=1e-4 * np.abs(whole).max())
    for own, array in zip(backend.logits, reference.logits, strict=True):
        np.testing.assert_array_equal(own, array)
    if "probabilities" not in outputs:  # segmentation has no maps
        names = map_layers(network)
        assert archive.map_layers(backend.layers) == archive.map_layers(reference.layers) == names


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_the_registry(name: str, tmp_path: Path, cache: Path) -> None:
    keras.utils.set_random_seed(1)
    entry = NETWORKS[name]
    network = with_random_statistics(entry.builder(64, 1 if entry.is_segmenter else 4))
    outputs = ("probabilities",) if entry.is_segmenter else (entry.evidence_layer, "logits")
    assert_equal_to_keras(network, outputs, tmp_path)


def test_other_layers_and_settings(tmp_path: Path, cache: Path) -> None:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    scan = keras.Input((33, 33, 1), name="scan")
    x = layers.Rescaling([0.01], offset=[-1.0])(scan)
    x = layers.Conv2D(6, (3, 2), (2, 1), padding="same", activation="tanh")(x)
    x = layers.Conv2D(6, 3, padding="valid", dilation_rate=2, activation="relu6", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False)(x)
    pooled = layers.MaxPooling2D(3, 2, padding="same")(x)
    averaged = layers.AveragePooling2D(3, 2, padding="same")(x)
    x = layers.Concatenate(name="both")([pooled, averaged])
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="sigmoid")(x)
    x = layers.Conv2DTranspose(3, 3, 2, padding="same", activation="relu")(x)
    x = layers.UpSampling2D((1, 2))(layers.ZeroPadding2D(((1, 0), (0, 2)), name="edges")(x))
    x = layers.Flatten()(layers.ReLU(max_value=2.0)(x))
    x = layers.Concatenate()([layers.Dense(5, activation="relu")(x), layers.Dense(3, use_bias=False)(x)])
    logits = layers.Dense(2, name="logits")(layers.Dropout(0.5)(x))
    network = keras.Model(scan, layers.Activation("softmax", name="probabilities")(logits), name="small")
    assert_equal_to_keras(network, ("both", "edges", "logits"), tmp_path)


def test_normalisation_that_was_adapted(tmp_path: Path, cache: Path) -> None:
    scan = keras.Input((8, 8, 1), name="scan")
    normalisation = keras.layers.Normalization()
    normalisation.adapt(scans(4, 8))
    features = keras.layers.GlobalAveragePooling2D()(normalisation(scan))
    network = keras.Model(scan, keras.layers.Dense(2, name="logits")(features), name="adapted")
    assert_equal_to_keras(network, ("logits",), tmp_path)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.LayerNormalization(),
        keras.layers.Activation("elu"),
        keras.layers.ReLU(negative_slope=0.1),
        keras.layers.Conv2D(2, 1, dtype="mixed_bfloat16"),
    ],
    ids=lambda layer: layer.name,
)
def test_keras_computes_what_is_not_translated(layer: keras.Layer, tmp_path: Path, cache: Path) -> None:
    scan = keras.Input((8, 8, 1), name="scan")
    features = keras.layers.GlobalAveragePooling2D()(layer(scan))
    network = keras.Model(scan, keras.layers.Dense(2, name="logits")(features), name="unusual")
    card = card_of(network, tmp_path)
    with pytest.raises(UnsupportedNetwork, match=layer.name):
        graph.build(card.weights, ("logits",))
    backend = open_network(card, ("logits",), FLOAT32)
    assert backend.runtime == KERAS and not cache.exists()
    np.testing.assert_allclose(backend.run(scans(2, 8))[0], network(scans(2, 8)), rtol=1e-5, atol=1e-6)


def test_two_inputs_are_not_translated(tmp_path: Path) -> None:
    first, second = keras.Input((4, 4, 1), name="scan"), keras.Input((4, 4, 1), name="other")
    logits = keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(keras.layers.Add()([first, second])))
    keras.Model([first, second], logits).save(tmp_path / "two.keras")
    with pytest.raises(UnsupportedNetwork, match="2 inputs"):
        graph.build(tmp_path / "two.keras", ("logits",))


@pytest.fixture
def logits_of(tiny_models: Path) -> Callable[[], np.ndarray]:
    """A function that opens a small network anew and gives its logits of two scans."""
    card = load_card(tiny_models / "cnn.keras")
    return lambda: open_network(card, ("logits",), FLOAT32).run(scans(2, 64))[0]


def test_network_is_converted_once(logits_of: Callable, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    converted = logits_of()
    (file,) = cache.iterdir()
    assert file.parent.stat().st_mode & 0o077 == 0, "others may not change what is computed"
    monkeypatch.setattr(graph, "build", lambda *arguments: pytest.fail("converted again"))
    os.utime(file, (0, 0))
    np.testing.assert_array_equal(logits_of(), converted)
    assert file.stat().st_mtime > 0, "in use, so that it stays in the cache"


def test_network_computes_the_same_when_its_memory_was_given_back(tiny_models: Path, cache: Path) -> None:
    card = load_card(tiny_models / "cnn.keras")
    for _ in range(2):  # converted, and from the cached file
        backend = open_network(card, ("logits",), FLOAT32)
        before = backend.run(scans(2, 64))[0]
        backend.release()
        np.testing.assert_array_equal(backend.run(scans(2, 64))[0], before)
        assert backend.run(scans(3, 64))[0].shape == (3, 4)
    (file,) = cache.iterdir()
    file.unlink()  # a network in use keeps what it needs
    backend.release()
    np.testing.assert_array_equal(backend.run(scans(2, 64))[0], before)


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty"])
def test_damaged_cache_is_written_anew(logits_of: Callable, cache: Path, damage: str) -> None:
    converted = logits_of()
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    if damage == "changed":
        content[len(content) // 2] ^= 1
    file.write_bytes({"truncated": bytes(content[:-100]), "empty": b""}.get(damage, bytes(content)))
    damaged = file.read_bytes()
    np.testing.assert_array_equal(logits_of(), converted)
    assert [entry.read_bytes() != damaged for entry in cache.iterdir()] == [True]


@pytest.mark.parametrize("place", ["/proc/nowhere", "a file"])
def test_without_a_cache_folder(
    logits_of: Callable, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / place))
    assert logits_of().shape == (2, 4)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a file"]


def test_unfinished_file_does_not_stay(
    logits_of: Callable, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(openvino_backend.Path, "replace", full)
    assert logits_of().shape == (2, 4)
    assert list(cache.iterdir()) == []


def test_unused_networks_leave_the_cache(logits_of: Callable, cache: Path) -> None:
    cache.mkdir(parents=True)
    for name, days in (("old.bin", 40), ("recent.bin", 20)):
        (cache / name).write_bytes(b"")
        os.utime(cache / name, (time.time() - days * 86_400,) * 2)
    logits_of()
    assert (cache / "recent.bin").exists() and not (cache / "old.bin").exists()


def test_changed_weights_are_converted_again(models_copy: Path, cache: Path) -> None:
    first = open_network(load_card(models_copy / "cnn.keras"), ("logits",), FLOAT32).run(scans(1, 64))[0]
    shutil.copy(models_copy / "vgg16.keras", models_copy / "cnn.keras")
    change_card(models_copy / "cnn.keras", weights_sha256=file_sha256(models_copy / "cnn.keras"))
    second = open_network(load_card(models_copy / "cnn.keras"), ("logits",), FLOAT32).run(scans(1, 64))[0]
    assert not np.allclose(first, second, atol=1e-3) and len(list(cache.iterdir())) == 2


def test_prediction_needs_neither_tensorflow_nor_pandas_and_reports_to_nobody(
    tiny_app: Path, tmp_path: Path, png_bytes: Callable[[int], bytes]
) -> None:
    """The import of openvino would send an event to a server and write to the home folder."""
    (tmp_path / "scan.png").write_bytes(png_bytes(1))
    code = (
        "import sys, model; assert model.main(['predict', sys.argv[1]]) == 0; "
        "heavy = {'tensorflow', 'keras', 'pandas', 'h5py', 'scipy', 'openvino_telemetry'}; "
        "print(sorted(heavy & set(sys.modules)), 'openvino' in sys.modules)"
    )
    home = tmp_path / "home"
    home.mkdir()
    for expected in ("['h5py'] True", "[] True"):  # converted, then from the cache
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "scan.png")],
            cwd=REPOSITORY,
            env=os.environ | {"HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.splitlines()[-1] == expected
    assert list(home.iterdir()) == []
