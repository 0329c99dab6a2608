"""Cutting networks at a layer, and taking batch normalisation in and out of them."""

from __future__ import annotations

from collections.abc import Collection

import keras
import numpy as np
from keras import layers


def split_at(network: keras.Model, layer: str, name: str = "head") -> tuple[keras.Model, keras.Model]:
    """Cut a flat network behind `layer`: the trunk (scan -> features) and the head (features -> logits).

    Both share the network's layers and weights. The head begins with the linear activation `evidence`,
    a handle on its input that gradient methods can watch. Where shortcuts pass the layer by (it lies inside a residual
    block), the trunk gives and the head takes a list: the features, then the shortcuts.
    """
    cut = network.get_layer(layer).output
    features = keras.Input(cut.shape[1:], name="features")
    values = {id(cut): layers.Activation("linear", name="evidence")(features)}
    shortcuts: dict[int, tuple[keras.KerasTensor, keras.KerasTensor]] = {}

    def value(tensor: keras.KerasTensor) -> keras.KerasTensor:
        if id(tensor) in values:
            return values[id(tensor)]
        if id(tensor) not in shortcuts:
            entry = keras.Input(tensor.shape[1:], name=f"shortcut{len(shortcuts) + 1}")
            shortcuts[id(tensor)] = (tensor, entry)
        return shortcuts[id(tensor)][1]

    for node_layer in _layers_behind(network, layer):
        inputs = node_layer.input if isinstance(node_layer.input, list) else [node_layer.input]
        if any(id(tensor) in values for tensor in inputs):
            known = [value(tensor) for tensor in inputs]
            values[id(node_layer.output)] = node_layer(known if len(known) > 1 else known[0])
    passed = list(shortcuts.values())
    trunk = keras.Model(
        network.inputs,
        [cut, *(tensor for tensor, _ in passed)] if passed else cut,
        name=f"{network.name}_trunk",
    )
    head = keras.Model(
        [features, *(entry for _, entry in passed)] if passed else features,
        values[id(network.get_layer("logits").output)],
        name=f"{network.name}_{name}",
    )
    return trunk, head


def map_layers(network: keras.Model) -> tuple[str, ...]:
    """The layers that evidence maps can be taken at, from the scan on: convolutions and what rectifies them."""
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.ReLU, layers.Activation)
    return tuple(
        layer.name
        for layer in network.layers
        if isinstance(layer, kinds) and len(layer.output.shape) == 4 and layer.output.shape[1] > 1
    )


def logits_of(network: keras.Model) -> keras.Model:
    """The same network with the logits as its output."""
    return keras.Model(network.inputs, network.get_layer("logits").output, name=f"{network.name}_logits")


def fold_normalisation(trained: keras.Model, plain: keras.Model) -> None:
    """Set the weights of `plain` so that it computes what `trained`, the same network with batch normalisation, does.

    Exact at inference: each `LAYER_norm` behind a convolution LAYER becomes part of its kernel and bias.
    """
    added = {layer.name for layer in trained.layers} - {layer.name for layer in plain.layers}
    for layer in plain.layers:
        if not layer.weights:  # such a layer may have a name that Keras counts up
            continue
        weights = trained.get_layer(layer.name).get_weights()
        if f"{layer.name}_norm" in added:
            kernel, bias = weights
            norm = trained.get_layer(f"{layer.name}_norm")
            gamma, beta, mean, variance = norm.get_weights()
            factor = gamma / np.sqrt(variance + norm.epsilon)
            weights = [kernel * factor, (bias - mean) * factor + beta]
        layer.set_weights(weights)


def unfold_normalisation(network: keras.Model, convolutions: Collection[str], images: np.ndarray) -> None:
    """Set each `LAYER_norm` behind `convolutions` so that the network computes the same as without it.

    Its moving statistics are those of images (N, S, S, 1).

    Convolutions that were folded, or never had any, are trained on with it (data-dependent initialisation: Salimans
    and Kingma, "Weight normalization", NIPS 2016).
    """
    outputs = keras.Model(network.inputs, [network.get_layer(name).output for name in convolutions])
    for name, features in zip(convolutions, outputs.predict(images, verbose=0), strict=True):
        features = np.asarray(features, np.float32)
        mean, variance = features.mean(axis=(0, 1, 2)), features.var(axis=(0, 1, 2))
        norm = network.get_layer(f"{name}_norm")
        norm.set_weights([np.sqrt(variance + norm.epsilon), mean, mean, variance])


def _layers_behind(network: keras.Model, layer: str) -> list[keras.Layer]:
    names = [candidate.name for candidate in network.layers]
    return network.layers[names.index(layer) + 1 :]
