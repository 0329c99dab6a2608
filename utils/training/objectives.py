"""Networks on the school bench: what each is asked in a training step, and how it is examined after an epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import cv2
import keras
import numpy as np

from utils.metrics import classification
from utils.metrics.calibration import fit_temperature
from utils.networks.architectures import logits_of
from utils.networks.cards import OUTLINERS
from utils.scans.preprocessing import as_input
from utils.training.batches import TrainingSet
from utils.training.losses import answer_loss, outline_loss, places, pointing_loss
from utils.training.recipes import Phase, Recipe

BATCH = 32  # pictures a forward pass of an examination


class Learner(ABC):
    """A network that is being trained. `model` shares its layers and ends in what `losses` are taken of."""

    losses: Sequence[Callable]
    loss_weights: Sequence[float] = (1.0,)

    def __init__(self, network: keras.Model, recipe: Recipe, outputs: Sequence[keras.KerasTensor]) -> None:
        self.network, self.recipe = network, recipe
        self.model = keras.Model(network.inputs, list(outputs))
        if recipe.frozen_until:
            names = [layer.name for layer in network.layers]
            for layer in network.layers[: names.index(recipe.frozen_until) + 1]:
                layer.trainable = False

    def compile(self, phase: Phase, steps: int) -> None:
        """Ready for a phase of so many steps an epoch."""
        warm_up = min(2 * steps, steps * phase.epochs // 5)
        rate = keras.optimizers.schedules.CosineDecay(
            phase.learning_rate / 20,
            max(steps * phase.epochs - warm_up, 1),
            alpha=0.1 if warm_up == 0 else 0.0,
            warmup_target=phase.learning_rate,
            warmup_steps=warm_up,
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=self.recipe.weight_decay, global_clipnorm=1.0)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self.model.compile(optimizer=optimizer, loss=list(self.losses), loss_weights=list(self.loss_weights))

    def step(self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, masks: np.ndarray) -> float:
        """Learn from one batch of a TrainingSet; returns its loss."""
        wanted = self._wanted(inputs, targets, masks)
        answer = self.model.train_on_batch(inputs, wanted, [weights] * len(wanted), return_dict=True)
        return float(answer["loss"])

    @abstractmethod
    def _wanted(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        """What each output should have been."""

    @abstractmethod
    def examine(self, validation: TrainingSet) -> dict[str, float]:
        """Figures on pictures that it does not learn from; `validation_loss` is what the best epoch has least of."""


class AnswerLearner(Learner):
    """Learns to name a class; where it should look, as far as outlines are known; and what teachers answer."""

    def __init__(self, network: keras.Model, recipe: Recipe, teachers: Sequence[keras.Model] = ()) -> None:
        self.answers, self.teachers = logits_of(network), teachers
        features = network.get_layer("pooled").input
        maps = network.get_layer("logits")(features)  # by place; their mean is the logits, dropout apart
        self.grid = features.shape[1]
        self.losses = (answer_loss(recipe.label_smoothing, recipe.teaching), pointing_loss)
        self.loss_weights = (1.0, recipe.pointing)
        super().__init__(network, recipe, [self.answers.output, maps])

    def _wanted(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        answers = targets
        if self.teachers:
            taught = np.mean([probabilities_of(teacher, inputs) for teacher in self.teachers], axis=0)
            answers = np.concatenate([targets, taught], axis=1)
        return [answers, places(masks, targets, self.grid)]

    def examine(self, validation: TrainingSet) -> dict[str, float]:
        targets = validation.targets
        known = targets.sum(axis=1) == 1
        logits = predict_logits(self.answers, validation.inputs)
        # after temperature, which is fitted anyway: a network that only grows too sure must not look worse
        temperature = fit_temperature(logits[known], targets[known].argmax(axis=1))
        right = targets[np.arange(len(logits)), logits.argmax(axis=1)]
        return {
            "validation_loss": classification.set_cross_entropy(logits / temperature, targets),
            "validation_accuracy": float(right.mean()),
        }


class OutlineLearner(Learner):
    """Learns to tell a tumour's pixels; pictures with an empty mask are those of scans without one."""

    losses = (outline_loss,)

    def __init__(self, network: keras.Model, recipe: Recipe) -> None:
        self.answers = logits_of(network)
        super().__init__(network, recipe, [self.answers.output])

    def _wanted(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        return [as_input(masks) / 255]

    def examine(self, validation: TrainingSet) -> dict[str, float]:
        """The Dice overlap where there is a tumour, and the share of the others with an outline, at even odds."""
        losses, overlaps, outlined = [], [], []
        for start in range(0, len(validation.inputs), BATCH):
            rows = slice(start, start + BATCH)
            masks = as_input(validation.masks[rows]) / 255
            logits = predict_logits(self.answers, validation.inputs[rows])
            losses.append(keras.ops.convert_to_numpy(outline_loss(masks, logits)))
            drawn, there = logits > 0, masks >= 0.5
            areas = drawn.sum(axis=(1, 2, 3)) + there.sum(axis=(1, 2, 3))
            tumour = masks.max(axis=(1, 2, 3)) > 0
            overlaps.append((2 * (drawn & there).sum(axis=(1, 2, 3)) / np.maximum(areas, 1))[tumour])
            outlined.append(drawn.max(axis=(1, 2, 3))[~tumour])
        return {
            "validation_loss": float(np.concatenate(losses).mean()),
            "validation_dice": float(np.concatenate(overlaps).mean()),
            "validation_false_outlines": float(np.concatenate(outlined).mean()),
        }


def learner_of(network: keras.Model, recipe: Recipe, teachers: Sequence[keras.Model] = ()) -> Learner:
    """The learner that a recipe's network needs."""
    if network.name in OUTLINERS:
        return OutlineLearner(network, recipe)
    return AnswerLearner(network, recipe, teachers)


def predict_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """(N, ...) float32 from (N, S, S) uint8 pictures."""
    parts = [
        keras.ops.convert_to_numpy(model.predict_on_batch(as_input(inputs[start : start + BATCH])))
        for start in range(0, len(inputs), BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def probabilities_of(teacher: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """(N, C) float32: what a teacher answers to (N, S, S, 1) pictures, at its own input size."""
    size = teacher.input_shape[1]
    if inputs.shape[1] != size:
        inputs = np.stack([cv2.resize(one, (size, size)) for one in inputs[..., 0]])[..., None]
    return keras.ops.convert_to_numpy(teacher.predict_on_batch(inputs)).astype(np.float32)
