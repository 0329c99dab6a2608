"""How each network is trained: phases, rates, what stays frozen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one input size and with one learning-rate cycle (warm-up, then cosine decay).

    `augmented`: pictures are changed at random; without it they are only mirrored.
    """

    name: str
    size: int  # pixels
    epochs: int
    learning_rate: float
    augmented: bool = True


@dataclass(frozen=True)
class Recipe:
    """How one network is trained. `frozen_until` names the last layer that is never changed.

    `averaged`: the weights are in the end the mean of those that it was trained to and those, of the whole network,
    that it began with (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022).

    `network` is a name of `networks.BUILDERS`; `protocol` is the one that the recipe is meant for, None for any.
    """

    network: str
    phases: tuple[Phase, ...]
    protocol: str | None = None
    batch_size: int = 32
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    patience: int = 10  # epochs of the last phase without a lower validation loss
    frozen_until: str | None = None
    pointing: float = 0.0  # weight of the loss that asks for evidence inside the tumour's outline
    averaged: bool = False
    mixed: float = (
        0.0  # share of the pictures whose tumour is taken out, or that get one (`lesion_transplant`)
    )
    grays: float = 0.2  # share of the pictures whose grays change their order, where they are augmented
    teaching: float = 0.5  # share of the teachers' answers in the loss, where there are any

    def changed(self, epochs: Sequence[int] = (), batch_size: int | None = None) -> Recipe:
        """The recipe with another batch size, or other epochs: one number a phase, or one in all, shared in proportion.

        Raises ValueError where the numbers fit neither.
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


# Both learn at a lower resolution first, where a step costs a third (progressive resizing: Howard, fast.ai 2018), and
# see the pictures as they are at the end: augmented ones are not what a scan looks like (He et al. 2019, "Data
# augmentation revisited: rethinking the distribution gap between clean and augmented data").
RECIPES = {
    "cnn": Recipe(
        "cnn",
        phases=(
            Phase("low resolution", 128, 24, 2e-3),
            Phase("full resolution", 224, 13, 1e-3),
            Phase("as they are", 224, 8, 5e-4, augmented=False),
        ),
    ),
    "vgg16": Recipe(
        "vgg16",
        phases=(
            Phase("head and fresh layers", 128, 22, 1e-3),
            Phase("fine-tuning", 224, 14, 5e-4),
            Phase("as they are", 224, 2, 5e-5, augmented=False),  # at 2e-4 validation fell: learned by heart
        ),
        frozen_until="block3_pool",
    ),
    # going on from networks that were trained on Nickparvar alone (`--sets nickparvar`), with a teacher
    "cnn-more-sources": Recipe(
        "cnn",
        phases=(
            Phase("low resolution", 128, 20, 2e-3),
            Phase("full resolution", 224, 16, 1e-3),
            Phase("as they are", 224, 4, 2e-4, augmented=False),
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
    # once more, from the networks that these gave
    "cnn-second-round": Recipe(
        "cnn",
        phases=(Phase("full resolution", 224, 9, 7e-4),),
        pointing=1.0,
        averaged=True,
        mixed=0.35,
        grays=0.4,
    ),
    # the teacher of both: complete ImageNet weights can be had offline for it alone
    "mobilenetv2": Recipe(
        "mobilenetv2",
        # 160 px: it answers in every step of its pupils, and must cost them little
        phases=(Phase("low resolution", 128, 6, 5e-4), Phase("middle resolution", 160, 10, 3e-4)),
    ),
    # draws outlines; the first phase costs a third of the second a picture
    "unet": Recipe(
        "unet",
        phases=(Phase("low resolution", 128, 8, 1e-3), Phase("full resolution", 224, 5, 6e-4)),
        batch_size=16,
    ),
    # what others have built, each at the size that it can be trained at on two cores
    "resnet101v2-sartaj": Recipe(
        "resnet101v2",
        phases=(Phase("head and fresh layers", 128, 8, 1e-3), Phase("fine-tuning", 224, 3, 3e-4)),
        protocol="sartaj",
        frozen_until="conv4_block23_out",
    ),
    "resnet101v2-sartaj-second-round": Recipe(
        "resnet101v2",
        phases=(Phase("as they are", 224, 8, 2e-4, augmented=False),),
        protocol="sartaj",
        frozen_until="conv4_block23_out",
    ),
    # both in one, for the validation part that others draw
    "resnet101v2-sartaj-random": Recipe(
        "resnet101v2",
        phases=(
            Phase("head and fresh layers", 128, 8, 1e-3),
            Phase("fine-tuning", 224, 3, 3e-4),
            Phase("as they are", 224, 8, 2e-4, augmented=False),
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
                # changed pictures alone: 70 % on validation of the random split
                Phase("as they are", 160, 14, 5e-4, augmented=False),
            ),
            protocol=protocol,
        )
        for protocol in ("feltrin44", "feltrin44-random")
    },
    # the settings that the field's Streamlit app describes
    "cnn-256": Recipe(
        "cnn",
        phases=(Phase("only", 256, 10, 1e-3, augmented=False),),
        patience=3,
        protocol="published-random",
    ),
    "vgg16-256": Recipe(
        "vgg16",
        phases=(Phase("only", 256, 10, 1e-3, augmented=False),),
        patience=3,
        protocol="published-random",
        frozen_until="block3_pool",
    ),
}
