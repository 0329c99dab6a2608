"""A .keras file as an OpenVINO graph, layer by layer, without TensorFlow.

Images are (N, C, H, W) inside the graph, (N, H, W, C) at its input and outputs, as in Keras. A layer or setting that
is not translated here raises UnsupportedNetwork; Keras computes such a network. To add a kind of layer, write one
function and add it to `_TRANSLATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.networks.runtime.archive import Layer, UnsupportedNetwork, read_layers, read_weights
from utils.networks.runtime.library import openvino

ov = openvino()
ops = ov.opset15
Config = Mapping[str, Any]
Weights = Sequence[np.ndarray]


def build(weights: Path, outputs: Sequence[str]) -> tuple[Any, tuple[np.ndarray, ...]]:
    """The graph (N, S, S, 1) float32 -> the outputs of these layers, float32, and the arrays of the layer `logits`."""
    arrays = read_weights(weights)
    nodes: dict[str, Any] = {}
    parameters = []
    try:
        for layer in read_layers(weights):
            if layer.kind == "InputLayer":
                shape = [-1, *layer.config["batch_shape"][1:]]
                parameters.append(ops.parameter(shape, np.float32))
                nodes[layer.name] = _transposed(parameters[0], (0, 3, 1, 2))
            else:
                nodes[layer.name] = _translated(layer, [nodes[name] for name, _ in layer.inputs], arrays)
        results = [ops.result(_as_in_keras(nodes[name])) for name in outputs]
    except (
        KeyError,
        IndexError,
        RuntimeError,
    ):  # other settings, or weights, than Keras had when this was written
        raise UnsupportedNetwork("its configuration is not understood") from None
    if len(parameters) != 1:
        raise UnsupportedNetwork(f"it has {len(parameters)} inputs")
    logits = tuple(np.asarray(array, np.float32) for array in arrays.get("logits", ()))
    return ov.Model(results, parameters), logits


def _translated(layer: Layer, inputs: list[Any], arrays: Mapping[str, Weights]) -> Any:
    config = layer.config
    if layer.kind not in _TRANSLATIONS:
        raise UnsupportedNetwork(f"the layer {layer.name} is a {layer.kind}")
    _require(layer, config.get("data_format", "channels_last") == "channels_last", "data_format")
    dtype = config.get("dtype", "float32")
    _require(layer, (dtype if isinstance(dtype, str) else dtype["config"]["name"]) == "float32", "dtype")
    node = _TRANSLATIONS[layer.kind](layer, inputs, arrays.get(layer.name, ()))
    return _activated(layer, node, config["activation"]) if "activation" in config else node


def _convolution(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config, kernel = layer.config, arrays[0]
    _require(layer, config["groups"] == 1, "groups")
    settings = _window(config["strides"], config["padding"])
    node = ops.convolution(
        inputs[0], _constant(kernel.transpose(3, 2, 0, 1)), dilations=config["dilation_rate"], **settings
    )
    return _with_bias(node, arrays[1:])


def _depthwise(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config = layer.config
    kernel = arrays[0].transpose(2, 3, 0, 1)[:, :, None]  # (channels, multiplier, 1, h, w)
    settings = _window(config["strides"], config["padding"])
    node = ops.group_convolution(inputs[0], _constant(kernel), dilations=config["dilation_rate"], **settings)
    return _with_bias(node, arrays[1:])


def _transposed_convolution(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config, kernel = layer.config, arrays[0]
    strides, sizes = config["strides"], kernel.shape[:2]
    _require(layer, config["padding"] == "same" and config["output_padding"] is None, "padding")
    _require(layer, list(config["dilation_rate"]) == [1, 1], "dilation_rate")
    totals = [size - stride for size, stride in zip(sizes, strides, strict=True)]
    _require(layer, min(totals) >= 0, "strides")
    node = ops.convolution_backprop_data(
        inputs[0],
        _constant(kernel.transpose(3, 2, 0, 1)),
        strides,
        pads_begin=[total // 2 for total in totals],
        pads_end=[total - total // 2 for total in totals],
    )
    return _with_bias(node, arrays[1:])


def _normalised(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    """Batch normalisation at inference: a factor and a shift for each channel, which OpenVINO fuses."""
    config, values = layer.config, list(arrays)
    _require(layer, config["axis"] in (-1, [-1]) or config["axis"] == [3] or config["axis"] == 3, "axis")
    gamma = values.pop(0).astype(np.float64) if config["scale"] else 1.0
    beta = values.pop(0).astype(np.float64) if config["center"] else 0.0
    mean, variance = (value.astype(np.float64) for value in values)
    factor = gamma / np.sqrt(variance + config["epsilon"])
    return _scaled(inputs[0], factor, beta - mean * factor)


def _standardised(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    """Keras's Normalization, with its constants in the configuration or, where it was adapted, in the weights."""
    config = layer.config
    _require(layer, list(np.atleast_1d(config["axis"])) == [-1] and not config["invert"], "axis")
    mean, variance = arrays[:2] if config["mean"] is None else (config["mean"], config["variance"])
    factor = 1 / np.maximum(np.sqrt(np.asarray(variance, np.float64)), 1e-7)
    return _scaled(inputs[0], factor, -np.asarray(mean, np.float64) * factor)


def _rescaled(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    return _scaled(inputs[0], layer.config["scale"], layer.config["offset"])


def _rectified(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config = layer.config
    _require(layer, not config["negative_slope"] and not config["threshold"], "slope")
    highest = config["max_value"]
    return ops.relu(inputs[0]) if highest is None else ops.clamp(inputs[0], 0.0, float(highest))


def _maximum(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config = layer.config
    window = _window(config["strides"], config["padding"])
    return ov.opset1.max_pool(inputs[0], kernel_shape=config["pool_size"], **window)


def _average(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config = layer.config
    window = _window(config["strides"], config["padding"])
    return ops.avg_pool(inputs[0], kernel_shape=config["pool_size"], exclude_pad=True, **window)


def _global_average(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    return ops.reduce_mean(inputs[0], [2, 3], bool(layer.config["keepdims"]))


def _padded(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    (top, bottom), (left, right) = layer.config["padding"]
    return ops.pad(
        inputs[0], [0, 0, top, left], [0, 0, bottom, right], "constant", arg_pad_value=np.float32(0)
    )


def _enlarged(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    config = layer.config
    _require(layer, config["interpolation"] == "nearest", "interpolation")
    return ops.interpolate(
        inputs[0],
        np.asarray(config["size"], np.float32),
        "nearest",
        "scales",
        axes=[2, 3],
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _concatenated(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    is_image = _is_image(inputs[0])
    _require(layer, layer.config["axis"] in (-1, 3 if is_image else 1), "axis")
    return ops.concat(inputs, 1)


def _sum(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    node = inputs[0]
    for other in inputs[1:]:
        node = ops.add(node, other)
    return node


def _dense(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    _require(layer, not _is_image(inputs[0]), "input")
    node = ops.matmul(inputs[0], _constant(arrays[0]), False, False)
    return ops.add(node, _constant(arrays[1])) if len(arrays) > 1 else node


def _flattened(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    return ops.reshape(_as_in_keras(inputs[0]), [0, -1], True)


def _same(layer: Layer, inputs: list[Any], arrays: Weights) -> Any:
    return inputs[0]


_TRANSLATIONS: dict[str, Callable[[Layer, list[Any], Weights], Any]] = {
    "Activation": _same,
    "Add": _sum,
    "AveragePooling2D": _average,
    "BatchNormalization": _normalised,
    "Concatenate": _concatenated,
    "Conv2D": _convolution,
    "Conv2DTranspose": _transposed_convolution,
    "Dense": _dense,
    "DepthwiseConv2D": _depthwise,
    "Dropout": _same,
    "Flatten": _flattened,
    "GlobalAveragePooling2D": _global_average,
    "MaxPooling2D": _maximum,
    "Normalization": _standardised,
    "ReLU": _rectified,
    "Rescaling": _rescaled,
    "UpSampling2D": _enlarged,
    "ZeroPadding2D": _padded,
}


def _activated(layer: Layer, node: Any, activation: Any) -> Any:
    if activation == "linear":
        return node
    if activation == "relu":
        return ops.relu(node)
    if activation == "relu6":
        return ops.clamp(node, 0.0, 6.0)
    if activation == "sigmoid":
        return ops.sigmoid(node)
    if activation == "softmax":
        return ops.softmax(node, 1)
    if activation == "tanh":
        return ops.tanh(node)
    raise UnsupportedNetwork(f"the layer {layer.name} has the activation {activation}")


def _with_bias(node: Any, bias: Weights) -> Any:
    return ops.add(node, _constant(_by_channel(bias[0]))) if len(bias) else node


def _scaled(node: Any, factor: Any, shift: Any) -> Any:
    """factor, shift: a number, or one for each channel."""
    is_image = _is_image(node)
    factor, shift = (
        _constant(_by_channel(value) if is_image else np.asarray(value)) for value in (factor, shift)
    )
    return ops.add(ops.multiply(node, factor), shift)


def _window(strides: Sequence[int], padding: str) -> dict[str, Any]:
    """Strides and padding as OpenVINO takes them. TensorFlow's "same" puts the odd pixel behind."""
    return {
        "strides": list(strides),
        "pads_begin": [0, 0],
        "pads_end": [0, 0],
        "auto_pad": "same_upper" if padding == "same" else "valid",
    }


def _by_channel(values: Any) -> np.ndarray:
    return np.asarray(values).reshape(1, -1, 1, 1)


def _constant(values: np.ndarray) -> Any:
    """A float32 constant; arrays that are stored as float16 stay so in the graph's file."""
    if values.dtype == np.float16:
        return ops.convert(ops.constant(np.ascontiguousarray(values)), np.float32)
    return ops.constant(np.ascontiguousarray(values, np.float32))


def _as_in_keras(node: Any) -> Any:
    """An image with its channels last."""
    return _transposed(node, (0, 2, 3, 1)) if _is_image(node) else node


def _transposed(node: Any, order: tuple[int, ...]) -> Any:
    return ops.transpose(node, list(order))


def _is_image(node: Any) -> bool:
    return node.get_output_partial_shape(0).rank.get_length() == 4


def _require(layer: Layer, is_supported: bool, setting: str) -> None:
    if not is_supported:
        raise UnsupportedNetwork(f"the layer {layer.name} has a {setting} that is not translated")
