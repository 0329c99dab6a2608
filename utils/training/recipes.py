"""Training recipes: the phases, learning rates and frozen layers of each network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Phase:
    """A part of a training with one input size and one learning-rate cycle (warm-up, then cosine decay).

    `augmented`: images are changed at random; otherwise they are only mirrored.
    """

    name: str
    size: int  # pixels
    epochs: int
    learning_rate: float
    augmented: bool = True


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; `utils.datasets.protocols` names the recipes that were made for a protocol.

    `network`: its name in the registry of networks. `patience`: the number of epochs without a lower validation loss
    after which the last phase ends. `frozen_until`: the last layer that is not trained. `localisation_weight`: of the
    localisation loss, which rewards evidence inside the tumour's mask. `is_averaged`: the final weights are the mean of
    the trained ones and those of the initial checkpoint (Wortsman et al., "Robust fine-tuning of zero-shot models",
    CVPR 2022). `transplant_share`: of the images with a lesion transplant. `remapping_share`: of the augmented images
    whose intensities are remapped. `distillation_weight`: of the teachers' probabilities in the loss.
    `is_balanced`: images are drawn with the probabilities of `balanced_sampling` instead of each once an epoch.
    `stripping_share`: of the images with a skull that lose it. `has_boxes`: segmentation also learns from bounding
    boxes, `has_image_labels`: and from tumours in an unknown place. `average_decay`: of the moving average of the
    weights that is validated and kept, 0 for none. `has_training_normalisation`: trained convolutions get batch
    normalisation for the training where the registry of networks allows it.
    """

    network: str
    phases: tuple[Phase, ...]
    batch_size: int = 32
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    patience: int = 10
    frozen_until: str | None = None
    localisation_weight: float = 0.0
    is_averaged: bool = False
    transplant_share: float = 0.0
    remapping_share: float = 0.2
    distillation_weight: float = 0.5
    is_balanced: bool = False
    stripping_share: float = 0.0
    has_boxes: bool = False
    has_image_labels: bool = False
    average_decay: float = 0.0
    has_training_normalisation: bool = True

    def changed(self, epochs: Sequence[int] = (), batch_size: int | None = None) -> Recipe:
        """The recipe with another batch size or numbers of epochs: one for each phase, or a total to distribute.

        A total is distributed over the phases in proportion. Raises ValueError where the numbers fit neither.
        """
        shares = list(epochs) or [phase.epochs for phase in self.phases]
        if len(epochs) == 1:
            total = sum(phase.epochs for phase in self.phases)
            shares = [max(1, round(epochs[0] * phase.epochs / total)) for phase in self.phases]
        if len(shares) != len(self.phases) or min(shares) < 1:
            raise ValueError(
                f"--epochs takes one number, or {len(self.phases)}: one a phase, each at least 1."
            )
        phases = tuple(replace(phase, epochs=share) for phase, share in zip(self.phases, shares, strict=True))
        return replace(self, phases=phases, batch_size=batch_size or self.batch_size)


ALL_COLLECTIONS: dict[str, Any] = {
    "transplant_share": 0.3,
    "remapping_share": 0.35,
    "is_balanced": True,
    "stripping_share": 0.25,
    "has_boxes": True,
    "average_decay": 0.998,
}

VGG16_ALL_COLLECTIONS = Recipe(  # for both cycles
    "vgg16",
    phases=(Phase("low resolution", 128, 7, 1e-4), Phase("full resolution", 224, 7, 5e-5)),
    frozen_until="block2_pool",
    localisation_weight=1.0,
    has_training_normalisation=False,
    **ALL_COLLECTIONS,
)

MOBILENETV2_FELTRIN44 = Recipe(  # for both splits
    "mobilenetv2",
    phases=(
        Phase("low resolution", 128, 12, 1e-3),
        # with augmented images only, validation accuracy on the random split is 70 %
        Phase("without augmentation", 160, 14, 5e-4, augmented=False),
    ),
)

# Most recipes begin at a lower resolution, where a step costs a third (progressive resizing: Howard, fast.ai 2018), and
# end without augmentation, because augmented images differ from real scans (He et al. 2019, "Data augmentation
# revisited: rethinking the distribution gap between clean and augmented data").
RECIPES: dict[str, Recipe] = {
    "cnn": Recipe(
        "cnn",
        phases=(
            Phase("low resolution", 128, 24, 2e-3),
            Phase("full resolution", 224, 13, 1e-3),
            Phase("without augmentation", 224, 8, 5e-4, augmented=False),
        ),
    ),
    "vgg16": Recipe(
        "vgg16",
        phases=(
            Phase("head and new layers", 128, 22, 1e-3),
            Phase("fine-tuning", 224, 14, 5e-4),
            Phase(
                "without augmentation", 224, 2, 5e-5, augmented=False
            ),  # 2e-4 overfits: validation accuracy fell
        ),
        frozen_until="block3_pool",
    ),
    # fine-tuning, with a teacher, of networks that were trained on Nickparvar only (`--sets nickparvar`)
    "cnn-more-sources": Recipe(
        "cnn",
        phases=(
            Phase("low resolution", 128, 20, 2e-3),
            Phase("full resolution", 224, 16, 1e-3),
            Phase("without augmentation", 224, 4, 2e-4, augmented=False),
        ),
        localisation_weight=1.0,
    ),
    "vgg16-more-sources": Recipe(
        "vgg16",
        phases=(
            Phase("low resolution", 128, 8, 1e-3),
            Phase("full resolution", 224, 3, 5e-4),
        ),
        frozen_until="block3_pool",
        localisation_weight=1.0,
    ),
    # fine-tuning of the networks of these recipes
    "cnn-second-round": Recipe(
        "cnn",
        phases=(Phase("full resolution", 224, 9, 7e-4),),
        localisation_weight=1.0,
        is_averaged=True,
        transplant_share=0.35,
        remapping_share=0.4,
    ),
    # the teacher of both: the only network with complete ImageNet weights that are available offline
    "mobilenetv2": Recipe(
        "mobilenetv2",
        # 160 px keeps the training of its students fast, because it runs in each of their steps
        phases=(Phase("low resolution", 128, 6, 5e-4), Phase("middle resolution", 160, 10, 3e-4)),
    ),
    # segmentation; a step of the first phase costs a third of one of the second
    "unet": Recipe(
        "unet",
        phases=(Phase("low resolution", 128, 8, 1e-3), Phase("full resolution", 224, 5, 6e-4)),
        batch_size=16,
    ),
    # all collections: skull stripping, source and sequence are balanced, and boxes tell where the evidence should lie
    "unet-all-collections": Recipe(
        "unet",
        phases=(Phase("low resolution", 128, 7, 1e-3), Phase("full resolution", 224, 6, 6e-4)),
        batch_size=64,
        weight_decay=0.02,
        has_image_labels=True,
        **ALL_COLLECTIONS | {"average_decay": 0.995},
    ),
    # fine-tuning of `unet`'s network
    "unet-more-collections": Recipe(
        "unet",
        phases=(Phase("low resolution", 128, 5, 7e-4), Phase("full resolution", 224, 4, 5e-4)),
        batch_size=64,
        weight_decay=0.02,
        is_averaged=True,
        has_image_labels=True,
        **ALL_COLLECTIONS | {"average_decay": 0.995},
    ),
    # from complete ImageNet weights, without added normalisation; the first two blocks stay as they are
    "vgg16-all-collections": VGG16_ALL_COLLECTIONS,
    # its second cycle, with itself and the CNN as teachers
    "vgg16-second-cycle": replace(
        VGG16_ALL_COLLECTIONS,
        phases=(Phase("low resolution", 128, 6, 1e-4), Phase("full resolution", 224, 15, 5e-5)),
        average_decay=0.999,
    ),
    "cnn-all-collections": Recipe(
        "cnn",
        phases=(Phase("low resolution", 128, 14, 2e-3), Phase("full resolution", 224, 8, 1e-3)),
        localisation_weight=1.0,
        **ALL_COLLECTIONS,
    ),
    # fine-tuning of `cnn-second-round`'s network
    "cnn-more-collections": Recipe(
        "cnn",
        phases=(Phase("low resolution", 128, 11, 1e-3), Phase("full resolution", 224, 8, 6e-4)),
        localisation_weight=1.0,
        is_averaged=True,
        **ALL_COLLECTIONS,
    ),
    # architectures of other authors, at input sizes that can be trained on two cores
    "resnet101v2-sartaj": Recipe(
        "resnet101v2",
        phases=(Phase("head and new layers", 128, 8, 1e-3), Phase("fine-tuning", 224, 3, 3e-4)),
        frozen_until="conv4_block23_out",
    ),
    "resnet101v2-sartaj-second-round": Recipe(
        "resnet101v2",
        phases=(Phase("without augmentation", 224, 8, 2e-4, augmented=False),),
        frozen_until="conv4_block23_out",
    ),
    # both recipes in one, for the random validation part that other authors use
    "resnet101v2-sartaj-random": Recipe(
        "resnet101v2",
        phases=(
            Phase("head and new layers", 128, 8, 1e-3),
            Phase("fine-tuning", 224, 3, 3e-4),
            Phase("without augmentation", 224, 8, 2e-4, augmented=False),
        ),
        frozen_until="conv4_block23_out",
    ),
    "cnn-sartaj": Recipe(
        "cnn",
        phases=(Phase("low resolution", 128, 20, 2e-3), Phase("full resolution", 224, 8, 1e-3)),
    ),
    "mobilenetv2-feltrin44": MOBILENETV2_FELTRIN44,
    "mobilenetv2-feltrin44-random": MOBILENETV2_FELTRIN44,
    # the settings of a published Streamlit app for the same data
    "cnn-256": Recipe(
        "cnn",
        phases=(Phase("single phase", 256, 10, 1e-3, augmented=False),),
        patience=3,
    ),
    "vgg16-256": Recipe(
        "vgg16",
        phases=(Phase("single phase", 256, 10, 1e-3, augmented=False),),
        patience=3,
        frozen_until="block3_pool",
    ),
}
