"""The networks: flat functional Keras models from (N, S, S, 1) gray values 0..255 to probabilities.

Every network ends in the layers `logits` (linear) and `probabilities` (softmax, for the U-Net a sigmoid) and carries
its normalisation inside the graph. utils/networks/registry.py lists them, with their evidence layers.
"""

from __future__ import annotations

from collections.abc import Collection

import keras
from keras import layers

from utils.classes import CLASSES

INPUT_SIZE = 224
CAFFE_MEANS_BGR = (103.939, 116.779, 123.68)  # what the ImageNet weights of VGG16 expect to be subtracted


def cnn(size: int = INPUT_SIZE, classes: int = len(CLASSES)) -> keras.Model:
    """A residual network trained from scratch: 13 convolutions, 1.5 million parameters.

    (N, size, size, 1) 0..255 -> (N, classes) probabilities; evidence at size/16.
    Source: He et al., "Deep residual learning for image recognition", CVPR 2016 (basic blocks).
    """
    scan = keras.Input((size, size, 1), name="scan")
    return _with_head(scan, _stages(scan)[-1], 0.3, classes, "cnn")


def unet(size: int = INPUT_SIZE, classes: int = 1) -> keras.Model:
    """The convolutions of MobileNetV2 as encoder, and a decoder: segments the tumour; 2.3 million parameters.

    (N, size, size, 1) 0..255 -> (N, size, size, classes) independent probabilities (sigmoid). `size` is a
    multiple of 32. The last upsampling, from half the resolution, is learned.
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

    (N, size, size, 1) 0..255 -> (N, classes) probabilities; evidence at size/16. Weights are initialised
    at random (He); `load_base_weights` loads pretrained ones. The convolutions named in `normalised` get batch
    normalisation during training; `fold_normalisation` removes it.
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


def _mobilenetv2(scan: keras.KerasTensor) -> keras.Model:
    """MobileNetV2 of `keras.applications` on gray scans 0..255."""
    x = layers.Concatenate(name="gray_to_rgb")([scan, scan, scan])
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(x)
    base = keras.applications.MobileNetV2(input_tensor=x, include_top=False, weights=None)
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.9  # .999 would not settle in our few steps
    return base


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
