"""The registry of networks: adding a network is adding one entry here and a builder in `architectures`.

Imports no Keras: pages and commands list networks without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Network:
    """Everything that the repository knows about one architecture.

    `builder(size, classes)` gives an untrained network for inputs (N, size, size, 1), 0..255. `evidence_layer` is the
    layer of its saliency maps, "" for segmentation. `imagenet` is the class of `keras.applications` whose weights it
    starts from, "" for a network trained from scratch. `colour` is its colour in charts, "" for the next free one.
    The app reads scans with the networks that have `is_read_by_app`; other networks learn from an `is_teacher`.
    `has_training_normalisation`: the builder takes `normalised`, the convolutions that get batch normalisation while
    they are trained. `outlier_layers`, `sequence_layers`: of a segmentation network, those that the
    outlier classifier and the recognition of sequence and plane see.
    """

    name: str
    title: str
    builder: Callable[..., keras.Model]
    task: Literal["classification", "segmentation"] = "classification"
    evidence_layer: str = ""
    imagenet: str = ""
    colour: str = ""
    is_read_by_app: bool = False
    is_teacher: bool = False
    has_training_normalisation: bool = False
    outlier_layers: tuple[str, ...] = ()
    sequence_layers: tuple[str, ...] = ()

    @property
    def is_segmenter(self) -> bool:
        return self.task == "segmentation"


def _architecture(name: str) -> Callable[..., keras.Model]:
    """A builder of `architectures`, imported with Keras when it is called."""

    def build(*arguments: object, **options: object) -> keras.Model:
        from utils.networks import architectures

        return getattr(architectures, name)(*arguments, **options)

    return build


def _by_name(*networks: Network) -> dict[str, Network]:
    return {network.name: network for network in networks}


NETWORKS = _by_name(
    Network(
        name="cnn",
        title="CNN",
        builder=_architecture("cnn"),
        evidence_layer="stage3_block2",
        colour="#0072B2",
        is_read_by_app=True,
    ),
    Network(
        name="vgg16",
        title="VGG16",
        builder=_architecture("vgg16"),
        evidence_layer="block5_conv3",
        imagenet="VGG16",
        colour="#D55E00",
        is_read_by_app=True,
        has_training_normalisation=True,
    ),
    Network(
        name="resnet101v2",
        title="ResNet101V2",
        builder=_architecture("resnet101v2"),
        evidence_layer="conv4_block22_out",
        imagenet="ResNet101V2",
        colour="#009E73",
    ),
    Network(
        name="mobilenetv2",
        title="MobileNetV2",
        builder=_architecture("mobilenetv2"),
        evidence_layer="block_13_expand_relu",
        imagenet="MobileNetV2",
        is_teacher=True,
    ),
    Network(
        name="unet",
        title="U-Net",
        builder=_architecture("unet"),
        task="segmentation",
        imagenet="MobileNetV2",
        outlier_layers=("block_1_expand_relu", "block_3_expand_relu", "block_6_expand_relu"),
        sequence_layers=(
            "block_3_expand_relu",
            "block_6_expand_relu",
            "block_13_expand_relu",
            "block_16_project_BN",
        ),
    ),
)


def network_title(name: str) -> str:
    """The name that the interface shows; a network of a user's own keeps its name."""
    return NETWORKS[name].title if name in NETWORKS else name


def app_networks() -> tuple[str, ...]:
    """The classifiers that the repository ships for reading."""
    return tuple(name for name, network in NETWORKS.items() if network.is_read_by_app)


def segmenters() -> tuple[str, ...]:
    """The networks that segment the tumour; the app uses the first."""
    return tuple(name for name, network in NETWORKS.items() if network.is_segmenter)


def classifiers() -> tuple[str, ...]:
    """The networks that name a class."""
    return tuple(name for name, network in NETWORKS.items() if not network.is_segmenter)


def is_segmenter(name: str) -> bool:
    """Whether a name is one of a network that segments the tumour; baselines and unknown names are none."""
    return name in NETWORKS and NETWORKS[name].is_segmenter
