"""What a .keras file holds, read without Keras: its layers, how they are connected, and their weights."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Tensor = tuple[str, tuple[int | None, ...]]  # the layer that gives it, and its shape with the batch
MAP_LAYERS = ("Conv2D", "DepthwiseConv2D", "ReLU", "Activation")
DAMAGED = (KeyError, IndexError, TypeError, AttributeError, json.JSONDecodeError, zipfile.BadZipFile)


class UnsupportedNetwork(ValueError):
    """A network that only Keras can compute. Its text names what it has that is not supported here."""


@dataclass(frozen=True)
class Layer:
    """One layer: `kind` is its Keras class, `config` what Keras stored of it, `inputs` the tensors that it takes."""

    name: str
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[Tensor, ...]


def read_layers(weights: Path) -> tuple[Layer, ...]:
    """The layers of the network in a .keras file. Raises UnsupportedNetwork where they are not a flat graph."""
    try:
        with zipfile.ZipFile(weights) as archive:
            stored = json.loads(archive.read("config.json"))
        if stored["class_name"] != "Functional":
            raise UnsupportedNetwork(f"it is a {stored['class_name']} network")
        return layers_of(stored["config"])
    except DAMAGED:
        raise UnsupportedNetwork("its configuration cannot be read") from None


def layers_of(config: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers in the configuration of a functional network, each behind its inputs."""
    return tuple(map(_layer, config["layers"]))


def read_weights(weights: Path) -> dict[str, list[np.ndarray]]:
    """Layer name -> its arrays, as they are stored (float16 or float32), in the order of Keras's `Layer.weights`."""
    import h5py

    arrays: dict[str, list[np.ndarray]] = {}
    with zipfile.ZipFile(weights) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        for group in file["layers"].values():
            variables = group["vars"]
            if len(variables):
                values = [variables[str(number)][()] for number in range(len(variables))]
                arrays[str(variables.attrs["name"])] = values
    return arrays


def map_layers(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The layers that evidence maps can be taken at, from the scan on: convolutions and what rectifies them."""
    shapes = dict(tensor for layer in layers for tensor in layer.inputs)
    grids = {name for name, shape in shapes.items() if len(shape) == 4 and (shape[1] or 0) > 1}
    return tuple(layer.name for layer in layers if layer.kind in MAP_LAYERS and layer.name in grids)


def chain(layers: Sequence[Layer], first: str, last: str) -> tuple[Layer, ...] | None:
    """The layers behind `first` up to `last`; None where they are not one behind the other."""
    by_name = {layer.name: layer for layer in layers}
    between: list[Layer] = []
    name = last
    while name != first:
        layer = by_name[name]
        if len(layer.inputs) != 1:
            return None
        between.insert(0, layer)
        name = layer.inputs[0][0]
    return tuple(between)


def _layer(stored: Mapping[str, Any]) -> Layer:
    nodes = stored["inbound_nodes"]
    if len(nodes) > 1:
        raise UnsupportedNetwork(f"the layer {stored['name']} is used several times")
    inputs = tuple(_tensors(nodes[0]["args"])) if nodes else ()
    return Layer(stored["name"], stored["class_name"], stored["config"], inputs)


def _tensors(arguments: Sequence[Any]) -> Iterator[Tensor]:
    """The tensors among the arguments of a call."""
    for argument in arguments:
        if isinstance(argument, list | tuple):
            yield from _tensors(argument)
        else:
            facts = argument["config"]
            yield facts["keras_history"][0], tuple(facts["shape"])
