"""Weights of a network: initial weights by layer name, and small files for shipping."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import keras
import numpy as np

from utils.networks.registry import NETWORKS


def load_base_weights(network: keras.Model, weights: str | Path) -> tuple[list[str], list[str]]:
    """Set weights by layer name; returns the names of the loaded layers and of those initialised at random.

    The last layer is loaded where it has the same shape.

    `weights` is "imagenet" (downloaded by keras.applications), an .h5 that keras.applications wrote without the top,
    an .npz whose keys are `LAYER/VARIABLE`, or the .keras file of a network that shares layers. Raises ValueError where
    the file fits no layer, or a layer with another shape.
    """
    available = _weights_by_layer(network, str(weights))
    loaded, fresh = [], []
    for layer in network.layers:
        if not layer.trainable_weights:
            continue
        values = available.get(layer.name, [])
        fits = [value.shape for value in values] == [variable.shape for variable in layer.weights]
        if fits or (values and layer.name != "logits"):  # a head for other classes starts at random
            layer.set_weights(values)
            loaded.append(layer.name)
        else:
            fresh.append(layer.name)
    if not loaded:
        raise ValueError(f"{weights} holds no weights for any layer of {network.name}.")
    return loaded, fresh


def _weights_by_layer(network: keras.Model, weights: str) -> dict[str, list[np.ndarray]]:
    """Layer name -> arrays of everything that `load_base_weights` takes."""
    if weights == "imagenet" or weights.endswith(".h5"):
        application = NETWORKS[network.name].imagenet if network.name in NETWORKS else ""
        if not application:
            raise ValueError(f"keras.applications has no ImageNet weights for {network.name}.")
        is_download = weights == "imagenet"
        source = getattr(keras.applications, application)(
            weights="imagenet" if is_download else None, include_top=False
        )
        if not is_download:
            source.load_weights(weights)
        return {layer.name: layer.get_weights() for layer in source.layers}
    if weights.endswith(".keras"):
        source = keras.models.load_model(weights, compile=False)
        return {layer.name: layer.get_weights() for layer in source.layers if layer.weights}
    available = {}
    with np.load(weights, allow_pickle=False) as archive:
        for layer in network.layers:
            keys = [f"{layer.name}/{variable.name}" for variable in layer.weights]
            if keys and all(key in archive for key in keys):
                available[layer.name] = [archive[key] for key in keys]
    return available


def save_small(network: keras.Model, path: Path) -> None:
    """Write a .keras file whose arrays are float16 inside; it loads as the float32 network that it describes.

    The file appears only when it is complete.
    """
    import h5py

    full, unfinished = path.with_suffix(".full.keras"), path.with_suffix(".new.keras")
    network.save(full)
    with zipfile.ZipFile(full) as source, zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.namelist():
            content = source.read(item)
            if item == "model.weights.h5":
                content = _halved(h5py, content)
            target.writestr(zipfile.ZipInfo(item, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    full.unlink()
    unfinished.replace(path)


def _halved(h5py, content: bytes) -> bytes:
    """The same HDF5 file with its float32 arrays stored as float16."""
    result = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as source, h5py.File(result, "w") as target:

        def copy(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset):
                array = item[()]
                small = array.astype(np.float16) if array.dtype == np.float32 else array
                target.create_dataset(name, data=small)
                node = target[name]
            else:
                node = target.require_group(name)
            for key, value in item.attrs.items():  # type: ignore[attr-defined]
                node.attrs[key] = value

        source.visititems(copy)
    return result.getvalue()
