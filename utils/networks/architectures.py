"""The networks: flat functional Keras models from (N, S, S, 1) gray values 0..255 to probabilities.

Every network ends in the layers `logits` (linear) and `probabilities` (softmax, for the U-Net a sigmoid) and carries
its normalisation inside the graph. Those that name a class have their evidence layer, the last convolutional feature
map, in EVIDENCE_LAYERS.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection
from pathlib import Path

import keras
import numpy as np
from keras import layers

from utils.classes import CLASSES

INPUT_SIZE = 224
EVIDENCE_LAYERS = {
    "cnn": "stage3_block2",
    "vgg16": "block5_conv3",
    "mobilenetv2": "block_13_expand_relu",
    "resnet101v2": "conv4_block22_out",
}
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)  # what the ImageNet weights of VGG16 expect to be subtracted


def cnn(size: int = INPUT_SIZE, classes: int = len(CLASSES)) -> keras.Model:
    """A residual network trained from scratch: 13 convolutions, 1.5 million parameters.

    (N, size, size, 1) 0..255 -> (N, classes) probabilities; evidence at size/16.
    Source: He et al., "Deep residual learning for image recognition", CVPR 2016 (basic blocks).
    """
    scan = keras.Input((size, size, 1), name="scan")
    return _with_head(scan, _stages(scan)[-1], 0.3, classes, "cnn")


def unet(size: int = INPUT_SIZE, classes: int = 1) -> keras.Model:
    """The convolutions of MobileNetV2 and a way back up: where in the picture the tumour is; 2.3 million parameters.

    (N, size, size, 1) 0..255 -> (N, size, size, classes) probabilities, each of its own (sigmoid). `size` is a
    multiple of 32. The last step up, from half the resolution, is learned.
    Source: Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015;
    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.
    """
    scan = keras.Input((size, size, 1), name="scan")
    base = _mobilenetv2(scan)
    x = base.get_layer("block_16_project_BN").output
    for step, (block, filters) in enumerate(((13, 96), (6, 64), (3, 48), (1, 32)), start=1):
        skip = base.get_layer(f"block_{block}_expand_relu").output
        skip = layers.ReLU(name=f"up{step}_skip")(_convolution(skip, filters, 1, 1, f"up{step}_skip"))
        x = layers.ReLU(name=f"up{step}_narrow")(_convolution(x, filters, 1, 1, f"up{step}_narrow"))
        x = layers.UpSampling2D(name=f"up{step}_larger")(x)
        x = layers.Concatenate(name=f"up{step}_both")([skip, x])
        x = layers.ReLU(name=f"up{step}")(_convolution(x, filters, 3, 1, f"up{step}"))
    logits = layers.Conv2DTranspose(classes, 4, 2, padding="same", dtype="float32", name="logits")(x)
    probabilities = layers.Activation("sigmoid", dtype="float32", name="probabilities")(logits)
    return keras.Model(scan, probabilities, name="unet")


def vgg16(
    size: int = INPUT_SIZE, classes: int = len(CLASSES), normalised: Collection[str] = ()
) -> keras.Model:
    """VGG16 with the layer names of `keras.applications`, global average pooling and a linear head.

    (N, size, size, 1) 0..255 -> (N, classes) probabilities; evidence at size/16. Weights start fresh
    (He initialisation): `load_base_weights` brings in what is there. The convolutions named in `normalised` get a
    batch normalisation for the time of the training; `fold_normalisation` takes it out again.
    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015.
    """
    scan = keras.Input((size, size, 1), name="scan")
    bgr = layers.Concatenate(name="gray_to_bgr")([scan, scan, scan])
    x = layers.Normalization(mean=CAFFE_MEANS_BGR, variance=(1.0, 1.0, 1.0), name="imagenet_means")(bgr)
    for block, (filters, convolutions) in enumerate(
        ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1
    ):
        for number in range(1, convolutions + 1):
            name = f"block{block}_conv{number}"
            activation = None if name in normalised else "relu"
            x = layers.Conv2D(
                filters, 3, padding="same", activation=activation, kernel_initializer="he_normal", name=name
            )(x)
            if name in normalised:
                x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)
                x = layers.ReLU(name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool")(x)
    return _with_head(scan, x, 0.5, classes, "vgg16")


def mobilenetv2(size: int = INPUT_SIZE, classes: int = len(CLASSES)) -> keras.Model:
    """MobileNetV2 of `keras.applications`, fully trainable: the teacher of the networks that the app reads with.

    (N, size, size, 1) 0..255 -> (N, classes) probabilities; evidence at size/16.
    Source: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018.
    """
    scan = keras.Input((size, size, 1), name="scan")
    return _with_head(scan, _mobilenetv2(scan).output, 0.3, classes, "mobilenetv2")


def resnet101v2(size: int = INPUT_SIZE, classes: int = len(CLASSES)) -> keras.Model:
    """ResNet101V2 of `keras.applications`.

    (N, size, size, 1) 0..255 -> (N, classes) probabilities; evidence at size/16.
    Source: He et al., "Identity mappings in deep residual networks", ECCV 2016.
    """
    scan = keras.Input((size, size, 1), name="scan")
    x = layers.Concatenate(name="gray_to_rgb")([scan, scan, scan])
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(x)
    base = keras.applications.ResNet101V2(input_tensor=x, include_top=False, weights=None)
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9
    return _with_head(scan, base.output, 0.3, classes, "resnet101v2")


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


def unfold_normalisation(network: keras.Model, convolutions: Collection[str], pictures: np.ndarray) -> None:
    """Set each `LAYER_norm` behind `convolutions` so that the network computes what it does without, and has what its
    batch normalisation would have measured on pictures (N, S, S, 1).

    Convolutions that were folded, or never had any, are trained on with it (data-dependent initialisation: Salimans
    and Kingma, "Weight normalization", NIPS 2016).
    """
    found = keras.Model(network.inputs, [network.get_layer(name).output for name in convolutions])
    for name, features in zip(convolutions, found.predict(pictures, verbose=0), strict=True):
        features = np.asarray(features, np.float32)
        mean, variance = features.mean(axis=(0, 1, 2)), features.var(axis=(0, 1, 2))
        norm = network.get_layer(f"{name}_norm")
        norm.set_weights([np.sqrt(variance + norm.epsilon), mean, mean, variance])


BUILDERS = {
    "cnn": cnn,
    "vgg16": vgg16,
    "mobilenetv2": mobilenetv2,
    "resnet101v2": resnet101v2,
    "unet": unet,
}


def load_base_weights(network: keras.Model, weights: str | Path) -> tuple[list[str], list[str]]:
    """Set weights by layer name; returns the layers that were loaded and those that start fresh.

    The last layer comes along where it has the same shape: a network goes on with the answers that it gave.

    `weights` is "imagenet" (downloaded by keras.applications), an .h5 that keras.applications wrote without the top,
    an .npz whose keys are `LAYER/VARIABLE`, or the .keras file of a network that shares layers. Raises ValueError where
    the file fits no layer, or a layer with another shape.
    """
    applications = {
        "vgg16": keras.applications.VGG16,
        "mobilenetv2": keras.applications.MobileNetV2,
        "unet": keras.applications.MobileNetV2,
        "resnet101v2": keras.applications.ResNet101V2,
    }
    if str(weights) == "imagenet" or str(weights).endswith(".h5"):
        source = applications[network.name](
            weights="imagenet" if str(weights) == "imagenet" else None, include_top=False
        )
        if str(weights) != "imagenet":
            source.load_weights(weights)
        found = {layer.name: layer.get_weights() for layer in source.layers}
    elif str(weights).endswith(".keras"):
        source = keras.models.load_model(weights, compile=False)
        found = {layer.name: layer.get_weights() for layer in source.layers if layer.weights}
    else:
        with np.load(weights, allow_pickle=False) as archive:
            found = {}
            for layer in network.layers:
                keys = [f"{layer.name}/{variable.name}" for variable in layer.weights]
                if keys and all(key in archive for key in keys):
                    found[layer.name] = [archive[key] for key in keys]
    loaded, fresh = [], []
    for layer in network.layers:
        if not layer.trainable_weights:
            continue
        values = found.get(layer.name, [])
        fits = [value.shape for value in values] == [variable.shape for variable in layer.weights]
        if fits or (values and layer.name != "logits"):  # other classes are learned anew
            layer.set_weights(values)
            loaded.append(layer.name)
        else:
            fresh.append(layer.name)
    if not loaded:
        raise ValueError(f"{weights} holds no weights for any layer of {network.name}.")
    return loaded, fresh


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


def save_small(network: keras.Model, path: Path) -> None:
    """Write a .keras file whose arrays are float16 inside; it loads as the float32 network that it describes."""
    import h5py

    full = path.with_suffix(".full.keras")
    network.save(full)
    with zipfile.ZipFile(full) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for item in source.namelist():
            content = source.read(item)
            if item == "model.weights.h5":
                content = _halved(h5py, content)
            target.writestr(zipfile.ZipInfo(item, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    full.unlink()


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


def _mobilenetv2(scan: keras.KerasTensor) -> keras.Model:
    """MobileNetV2 of `keras.applications` on gray scans 0..255."""
    x = layers.Concatenate(name="gray_to_rgb")([scan, scan, scan])
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(x)
    base = keras.applications.MobileNetV2(input_tensor=x, include_top=False, weights=None)
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # .999 would not settle in our few steps
    return base


def _layers_behind(network: keras.Model, layer: str) -> list[keras.Layer]:
    names = [candidate.name for candidate in network.layers]
    return network.layers[names.index(layer) + 1 :]


def _convolution(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, name: str
) -> keras.KerasTensor:
    x = layers.Conv2D(
        filters,
        kernel,
        stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        name=f"{name}_conv",
    )(x)
    return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(x)


def _stages(scan: keras.KerasTensor) -> list[keras.KerasTensor]:
    """The features of `cnn` at 1/2, 1/4, 1/8 and 1/16 of the scan's size."""
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(scan)
    stages = [layers.ReLU(name="stem")(_convolution(x, 24, 3, 2, "stem"))]
    for stage, filters in enumerate((48, 96, 192), start=1):
        x = _residual_block(stages[-1], filters, 2, f"stage{stage}_block1")
        stages.append(_residual_block(x, filters, 1, f"stage{stage}_block2"))
    return stages


def _residual_block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
    shortcut = x if stride == 1 else _convolution(x, filters, 1, stride, f"{name}_shortcut")
    x = layers.ReLU(name=f"{name}_relu")(_convolution(x, filters, 3, stride, f"{name}_1"))
    x = _convolution(x, filters, 3, 1, f"{name}_2")
    return layers.ReLU(name=name)(layers.Add(name=f"{name}_add")([shortcut, x]))


def _with_head(
    scan: keras.KerasTensor, features: keras.KerasTensor, dropout: float, classes: int, name: str
) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="pooled")(features)
    x = layers.Dropout(dropout, name="dropout")(x)
    start = keras.initializers.RandomNormal(stddev=0.01)
    logits = layers.Dense(classes, kernel_initializer=start, dtype="float32", name="logits")(x)
    probabilities = layers.Activation("softmax", dtype="float32", name="probabilities")(logits)
    return keras.Model(scan, probabilities, name=name)
