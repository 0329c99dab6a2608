"""Training objectives: the targets of a training step and the figures of an epoch, for each task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import cv2
import keras
import numpy as np

from utils.metrics import classification
from utils.metrics.calibration import fit_temperature
from utils.networks.registry import is_segmenter
from utils.networks.surgery import logits_of
from utils.scans.preprocessing import as_input
from utils.training.batches import TrainingSet
from utils.training.losses import (
    classification_loss,
    evidence_targets,
    localisation_loss,
    segmentation_loss,
    weak_segmentation_loss,
)  # fmt: skip
from utils.training.recipes import Phase, Recipe

BATCH = 32  # images of a forward pass in validation


class Objective(ABC):
    """A network in training. `model` shares its layers and ends in the outputs that `losses` are computed from."""

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
        """Set optimizer and learning-rate schedule for a phase with `steps` steps an epoch."""
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

    def train_step(
        self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, masks: np.ndarray
    ) -> float:
        """Learn from one batch of a TrainingSet; returns its loss."""
        output_targets = self._output_targets(inputs, targets, masks)
        losses = self.model.train_on_batch(
            inputs, output_targets, [weights] * len(output_targets), return_dict=True
        )
        return float(losses["loss"])

    @abstractmethod
    def _output_targets(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        """The target of each output of `model`."""

    @abstractmethod
    def validate(self, validation: TrainingSet) -> dict[str, float]:
        """Figures on validation images; the best epoch is the one with the lowest `validation_loss`."""


class ClassificationObjective(Objective):
    """Learns the class; the place of the evidence, where masks are known; and the teachers' probabilities."""

    def __init__(self, network: keras.Model, recipe: Recipe, teachers: Sequence[keras.Model] = ()) -> None:
        self.classifier, self.teachers = logits_of(network), teachers
        features = network.get_layer("pooled").input
        maps = network.get_layer("logits")(features)  # by place; their mean is the logits, dropout apart
        self.grid = features.shape[1]
        self.losses = (
            classification_loss(recipe.label_smoothing, recipe.distillation_weight),
            localisation_loss,
        )
        self.loss_weights = (1.0, recipe.localisation_weight)
        super().__init__(network, recipe, [self.classifier.output, maps])

    def _output_targets(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        class_targets = targets
        if self.teachers:
            taught = np.mean([probabilities_of(teacher, inputs) for teacher in self.teachers], axis=0)
            class_targets = np.concatenate([targets, taught], axis=1)
        return [class_targets, evidence_targets(masks, targets, self.grid)]

    def validate(self, validation: TrainingSet) -> dict[str, float]:
        targets = validation.targets
        known = targets.sum(axis=1) == 1
        logits = predict_logits(self.classifier, validation.inputs)
        # after temperature scaling, which is fitted anyway: overconfidence alone must not make an epoch worse
        temperature = fit_temperature(logits[known], targets[known].argmax(axis=1))
        correct = targets[np.arange(len(logits)), logits.argmax(axis=1)]
        return {
            "validation_loss": classification.set_cross_entropy(logits / temperature, targets),
            "validation_accuracy": float(correct.mean()),
        }


class SegmentationObjective(Objective):
    """Learns the pixels of a tumour; images with an empty mask are those of scans without one."""

    def __init__(self, network: keras.Model, recipe: Recipe) -> None:
        self.losses = (weak_segmentation_loss if recipe.has_boxes else segmentation_loss,)
        self.segmenter = logits_of(network)
        super().__init__(network, recipe, [self.segmenter.output])

    def _output_targets(self, inputs: np.ndarray, targets: np.ndarray, masks: np.ndarray) -> list[np.ndarray]:
        return [as_input(masks) / 255]

    def validate(self, validation: TrainingSet) -> dict[str, float]:
        """The loss, Dice where there is a tumour and the false-positive rate elsewhere, at probability 0.5."""
        losses, dice, is_false_positive = [], [], []
        for start in range(0, len(validation.inputs), BATCH):
            rows = slice(start, start + BATCH)
            masks = as_input(validation.masks[rows]) / 255
            logits = predict_logits(self.segmenter, validation.inputs[rows])
            losses.append(keras.ops.convert_to_numpy(segmentation_loss(masks, logits)))
            predicted, reference = logits > 0, masks >= 0.5
            areas = predicted.sum(axis=(1, 2, 3)) + reference.sum(axis=(1, 2, 3))
            has_tumor = masks.max(axis=(1, 2, 3)) > 0
            overlap = 2 * (predicted & reference).sum(axis=(1, 2, 3))
            dice.append((overlap / np.maximum(areas, 1))[has_tumor])
            is_false_positive.append(predicted.max(axis=(1, 2, 3))[~has_tumor])
        return {
            "validation_loss": float(np.concatenate(losses).mean()),
            "validation_dice": float(np.concatenate(dice).mean()),
            "validation_false_outlines": float(np.concatenate(is_false_positive).mean()),
        }


def objective_of(network: keras.Model, recipe: Recipe, teachers: Sequence[keras.Model] = ()) -> Objective:
    """The objective of a recipe's network."""
    if is_segmenter(network.name):
        return SegmentationObjective(network, recipe)
    return ClassificationObjective(network, recipe, teachers)


def predict_logits(model: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """(N, ...) float32 from (N, S, S) uint8 images."""
    parts = [
        keras.ops.convert_to_numpy(model.predict_on_batch(as_input(inputs[start : start + BATCH])))
        for start in range(0, len(inputs), BATCH)
    ]
    return np.concatenate(parts).astype(np.float32)


def probabilities_of(teacher: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """(N, C) float32: a teacher's probabilities for (N, S, S, 1) images, resized to its own input size."""
    size = teacher.input_shape[1]
    if inputs.shape[1] != size:
        inputs = np.stack([cv2.resize(image, (size, size)) for image in inputs[..., 0]])[..., None]
    return keras.ops.convert_to_numpy(teacher.predict_on_batch(inputs)).astype(np.float32)
