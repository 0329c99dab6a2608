"""The training loop: samples in, a trained network out. Backend-neutral Keras 3; an interrupted training is resumed.

A recipe is a sequence of phases. The layers up to `frozen_until` are run but not trained. Their output is not cached:
images are augmented anew in every epoch, because VGG16 overfits to a few stored copies of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import CLASSES
from utils.networks.registry import NETWORKS
from utils.networks.surgery import fold_normalisation
from utils.training.batches import TrainingSet, training_set, validation_set
from utils.training.initial_network import InitialNetwork, initial_network, initialise_normalisation
from utils.training.objectives import Objective, objective_of
from utils.training.precision import fastest_precision
from utils.training.recipes import Phase, Recipe
from utils.training.run_state import RunState
from utils.training.weight_average import WeightAverage

AVERAGE = "average.npz"  # in the run folder


@dataclass(frozen=True)
class TrainingPlan:
    """What to train and how.

    `base_weights`: what `load_base_weights` takes, None for random initial weights; `classes`: the output classes, in
    order.
    """

    recipe: Recipe
    seed: int = 0
    base_weights: str | Path | None = None
    classes: tuple[str, ...] = CLASSES


@dataclass(frozen=True)
class Trained:
    """A trained network (float32, weights of its best epoch), one dict of figures an epoch, and its initial layers."""

    network: keras.Model
    history: list[dict]
    loaded_layers: list[str]
    fresh_layers: list[str]


def train(
    plan: TrainingPlan,
    samples: pd.DataFrame,
    run_folder: Path,
    teachers: Sequence[keras.Model] = (),
    report: Callable[[str], None] = print,
) -> Trained:
    """Train a network on the rows of `samples` whose `part` is "train"; "validation" rows choose the best epoch.

    `run_folder` keeps checkpoints: a call with the same arguments resumes after the last complete epoch. `teachers`
    have the same classes; the network also learns their mean probabilities for the augmented images. `report` is called
    with each line of progress. Raises UnreadableScan, and ValueError where `base_weights` do not fit.
    """
    keras.utils.set_random_seed(plan.seed)
    run_folder.mkdir(parents=True, exist_ok=True)
    run = _Run(plan, samples, run_folder, teachers, report)
    keras.mixed_precision.set_global_policy(fastest_precision())
    run.report_samples()
    try:
        initial = run.run_phases()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    final = _final_network(plan, initial.network)
    return Trained(final, run.state.history, initial.loaded_layers, initial.fresh_layers)


class _Run:
    """One training and its state, which is saved after every epoch."""

    def __init__(
        self,
        plan: TrainingPlan,
        samples: pd.DataFrame,
        folder: Path,
        teachers: Sequence[keras.Model],
        report: Callable[[str], None],
    ) -> None:
        self.plan, self.folder, self.teachers, self.report = plan, folder, teachers, report
        self.training_rows = samples[samples["part"] == "train"].reset_index(drop=True)
        self.validation_rows = samples[samples["part"] == "validation"].reset_index(drop=True)
        self.state = RunState.load(folder)

    def report_samples(self) -> None:
        self.report(
            f"{self.plan.recipe.network}: {self.training_rows['picture'].nunique()} training images in "
            f"{len(self.training_rows)} files, {len(self.validation_rows)} for validation; "
            f"{keras.backend.backend()}, {fastest_precision()}"
        )

    def run_phases(self) -> InitialNetwork:
        """Train all phases that are not finished; returns the last phase's network with its trained weights."""
        previous: keras.Model | None = None
        for number, phase in enumerate(self.plan.recipe.phases):
            initial = initial_network(
                self.plan.recipe, phase.size, self.plan.base_weights, len(self.plan.classes)
            )
            if number == 0 and self.plan.base_weights is not None:
                self.report(
                    f"loaded from {self.plan.base_weights}: {', '.join(initial.loaded_layers)}\n"
                    f"initialised at random: {', '.join(initial.fresh_layers) or 'none'}"
                )
            if previous is not None:
                initial.network.set_weights(previous.get_weights())
            objective = objective_of(initial.network, self.plan.recipe, self.teachers)
            if self.state.phase == number:
                self._start_phase(objective, number, phase, initial.loaded_layers)
            initial.network.load_weights(self._phase_file(number))
            previous = initial.network
        return initial

    def _start_phase(
        self, objective: Objective, number: int, phase: Phase, loaded_layers: Sequence[str]
    ) -> None:
        """Read the images of a phase and train it."""
        if self.state.epoch:
            self.report(f"{phase.name}: resumed after epoch {self.state.epoch}")
        recipe = self.plan.recipe
        # the target of segmentation is the mask; lesion transplants need the classes beside it
        classes = CLASSES if NETWORKS[recipe.network].is_segmenter else self.plan.classes
        training = training_set(self.training_rows, phase.size, recipe, phase.augmented, classes)
        if number == 0 and not self.state.epoch:
            initialise_normalisation(objective.network, loaded_layers, training, self.plan.seed)
        validation = validation_set(self.validation_rows, phase.size, classes)
        self._run_phase(objective, number, phase, training, validation)

    def _run_phase(
        self,
        objective: Objective,
        number: int,
        phase: Phase,
        training: TrainingSet,
        validation: TrainingSet,
    ) -> None:
        """Train a phase from where `state` stands; stores the best weights of the last phase, the last of the others.

        An epoch in the middle of a cosine cycle, at a high rate, can be the best on a few validation patients and yet
        a worse start for the next phase than the end of the cycle.
        """
        recipe, state = self.plan.recipe, self.state
        is_last = number == len(recipe.phases) - 1
        patience = recipe.patience if is_last else phase.epochs
        steps = -(-training.size // recipe.batch_size)
        average = WeightAverage(objective.network, recipe.average_decay)
        objective.compile(phase, steps)
        self._restore(objective.model, average)
        with tqdm(total=steps * phase.epochs, initial=steps * state.epoch, mininterval=2, unit="step") as bar:
            while state.epoch < phase.epochs and state.epoch - state.best_epoch <= patience:
                seed = (self.plan.seed, number, state.epoch)
                losses = _train_epoch(objective, training, np.random.default_rng(seed), average, bar)
                with average.applied():
                    figures = {"loss": float(np.mean(losses)), **objective.validate(validation)}
                    state.add_epoch(phase.name, figures)
                    if not is_last or state.best_epoch == state.epoch:
                        objective.network.save_weights(self._phase_file(number))
                line = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in figures.items())
                bar.write(f"{phase.name}, epoch {state.epoch}/{phase.epochs}: {line}")
                objective.model.save_weights(self.folder / "last.weights.h5")
                average.save(self.folder / AVERAGE)
                state.save(self.folder)
        state.phase, state.epoch = number + 1, 0
        state.save(self.folder)

    def _restore(self, model: keras.Model, average: WeightAverage) -> None:
        """Load weights, average and optimizer of an interrupted phase; at its start, reset the best epoch."""
        if self.state.epoch:
            model.optimizer.build(model.trainable_variables)
            model.load_weights(self.folder / "last.weights.h5")
            average.load(self.folder / AVERAGE)
        else:
            self.state.best_loss, self.state.best_epoch = float("inf"), -1

    def _phase_file(self, number: int) -> Path:
        return self.folder / f"phase-{number}.weights.h5"


def _train_epoch(
    objective: Objective,
    training: TrainingSet,
    rng: np.random.Generator,
    average: WeightAverage,
    bar: tqdm,
) -> list[float]:
    """One epoch; returns the loss of each step."""
    losses = []
    for batch in training.batches(objective.recipe.batch_size, rng):
        losses.append(objective.train_step(*batch))
        average.update()
        bar.update()
    return losses


def _final_network(plan: TrainingPlan, trained: keras.Model) -> keras.Model:
    """The trained network in float32, without added batch normalisation, averaged where the recipe says so."""
    final = NETWORKS[plan.recipe.network].builder(trained.input_shape[1], len(plan.classes))
    fold_normalisation(trained, final)
    if plan.recipe.is_averaged:
        start = keras.models.load_model(plan.base_weights, compile=False)
        pairs = zip(start.get_weights(), final.get_weights(), strict=True)
        final.set_weights([(before + after) / 2 for before, after in pairs])
    return final
