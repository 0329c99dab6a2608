"""Training recipes: the phases, learning rates and frozen layers of each network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


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
    """How a network is trained.

    `network`: its name in the registry of networks. `frozen_until`: the last layer that is not trained. `patience`: the
    number of epochs without a lower validation loss after which the last phase ends. `pointing`: the weight of the
    localisation loss, which rewards evidence inside the tumour's mask. `averaged`: the final weights are the mean of
    the trained weights and those of the initial checkpoint (Wortsman et al., "Robust fine-tuning of zero-shot models",
    CVPR 2022). `mixed`: the share of images with a lesion transplant (`lesion_transplant`). `grays`: the share of
    augmented images whose intensities are remapped. `teaching`: the weight of the teachers' probabilities in the loss.
    """

    network: str
    phases: tuple[Phase, ...]
    protocol: str | None = None
    batch_size: int = 32
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    patience: int = 10
    frozen_until: str | None = None
    pointing: float = 0.0
    averaged: bool = False
    mixed: float = 0.0
    grays: float = 0.2
    teaching: float = 0.5

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
        pointing=1.0,
    ),
    "vgg16-more-sources": Recipe(
        "vgg16",
        phases=(
            Phase("low resolution", 128, 8, 1e-3),
            Phase("full resolution", 224, 3, 5e-4),
        ),
        frozen_until="block3_pool",
        pointing=1.0,
    ),
    # fine-tuning of the networks of these recipes
    "cnn-second-round": Recipe(
        "cnn",
        phases=(Phase("full resolution", 224, 9, 7e-4),),
        pointing=1.0,
        averaged=True,
        mixed=0.35,
        grays=0.4,
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
    # architectures of other authors, at input sizes that can be trained on two cores
    "resnet101v2-sartaj": Recipe(
        "resnet101v2",
        phases=(Phase("head and new layers", 128, 8, 1e-3), Phase("fine-tuning", 224, 3, 3e-4)),
        protocol="sartaj",
        frozen_until="conv4_block23_out",
    ),
    "resnet101v2-sartaj-second-round": Recipe(
        "resnet101v2",
        phases=(Phase("without augmentation", 224, 8, 2e-4, augmented=False),),
        protocol="sartaj",
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
        protocol="sartaj-random",
        frozen_until="conv4_block23_out",
    ),
    "cnn-sartaj": Recipe(
        "cnn",
        phases=(Phase("low resolution", 128, 20, 2e-3), Phase("full resolution", 224, 8, 1e-3)),
        protocol="sartaj",
    ),
    **{
        f"mobilenetv2-{protocol}": Recipe(
            "mobilenetv2",
            phases=(
                Phase("low resolution", 128, 12, 1e-3),
                # with augmented images only, validation accuracy on the random split is 70 %
                Phase("without augmentation", 160, 14, 5e-4, augmented=False),
            ),
            protocol=protocol,
        )
        for protocol in ("feltrin44", "feltrin44-random")
    },
    # the settings of a published Streamlit app for the same data
    "cnn-256": Recipe(
        "cnn",
        phases=(Phase("single phase", 256, 10, 1e-3, augmented=False),),
        patience=3,
        protocol="published-random",
    ),
    "vgg16-256": Recipe(
        "vgg16",
        phases=(Phase("single phase", 256, 10, 1e-3, augmented=False),),
        patience=3,
        protocol="published-random",
        frozen_until="block3_pool",
    ),
}
