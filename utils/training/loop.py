"""Training: pictures in, a fitted network out. Backend-neutral Keras 3; resumes where it was stopped.

A recipe is a list of phases. The layers up to `frozen_until` are run but not trained. Their output is not cached:
pictures are changed anew in every epoch, and with a few stored copies of each VGG16 learned the copies by heart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import CLASSES
from utils.networks.architectures import (
    BUILDERS,
    fold_normalisation,
    load_base_weights,
    unfold_normalisation,
    vgg16,
)
from utils.scans.preprocessing import as_input
from utils.training.batches import TrainingSet, training_set
from utils.training.objectives import Learner, learner_of
from utils.training.recipes import Phase, Recipe

SETTLING = 64  # pictures that tell what batch normalisation would measure


@dataclass(frozen=True)
class Trained:
    """A fitted network (float32, its best weights), its history (one dict an epoch) and where its layers came from."""

    network: keras.Model
    history: list[dict]
    loaded_layers: list[str]
    fresh_layers: list[str]


def train(
    samples: pd.DataFrame,
    run_folder: Path,
    recipe: Recipe,
    seed: int = 0,
    base_weights: str | Path | None = None,
    teachers: Sequence[keras.Model] = (),
    classes: Sequence[str] = CLASSES,
    size: int | None = None,
    say: Callable[[str], None] = print,
) -> Trained:
    """Train one network on the rows of `samples` whose `part` is train; validation rows choose the last phase's epoch.

    `run_folder` keeps checkpoints: calling again with the same arguments goes on after the last whole epoch.
    `teachers` have the same classes: their mean answers to the changed pictures are learned beside the labels.
    `size` overrides the input size of every phase (tests use small ones).
    """
    name = recipe.network
    keras.utils.set_random_seed(seed)
    run_folder.mkdir(parents=True, exist_ok=True)
    state = _State.load(run_folder)
    train_rows = samples[samples["part"] == "train"].reset_index(drop=True)
    validation_rows = samples[samples["part"] == "validation"].reset_index(drop=True)
    keras.mixed_precision.set_global_policy(fastest_precision())
    say(f"{name}: {train_rows['picture'].nunique()} training pictures in {len(train_rows)} images, "
        f"{len(validation_rows)} to validate; {keras.backend.backend()}, {fastest_precision()}")  # fmt: skip
    try:
        network: keras.Model | None = None
        for number, phase in enumerate(recipe.phases):
            if size is not None:
                phase = replace(phase, size=size)
            previous = network
            network, loaded, fresh = _start(recipe, phase.size, base_weights, len(classes))
            if number == 0 and base_weights is not None:
                say(
                    f"loaded from {base_weights}: {', '.join(loaded)}\nstart fresh: {', '.join(fresh) or 'none'}"
                )
            if previous is not None:
                network.set_weights(previous.get_weights())
            learner = learner_of(network, recipe, teachers)
            if state.phase == number:
                if state.epoch:
                    say(f"{phase.name}: going on after epoch {state.epoch}")
                training = training_set(
                    train_rows, phase.size, phase.augmented, classes, recipe.mixed, recipe.grays
                )
                if number == 0 and not state.epoch:
                    _settle_normalisation(network, loaded, training, seed)
                _run_phase(
                    learner,
                    number,
                    phase,
                    training,
                    training_set(validation_rows, phase.size, False, classes),
                    run_folder,
                    state,
                    seed,
                )
            network.load_weights(_phase_file(run_folder, number))
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert network is not None
    final = BUILDERS[name](network.input_shape[1], len(classes))
    fold_normalisation(network, final)
    if recipe.averaged:
        start = keras.models.load_model(base_weights, compile=False)
        pairs = zip(start.get_weights(), final.get_weights(), strict=True)
        final.set_weights([(before + after) / 2 for before, after in pairs])
    return Trained(final, state.history, loaded, fresh)


def fastest_precision() -> str:
    """The precision policy: mixed_bfloat16 where the machine computes it natively (a GPU or a CPU that says so)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(errors="ignore")
    except OSError:
        flags = ""
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    return "mixed_bfloat16" if native or _has_gpu() else "float32"


def _has_gpu() -> bool:
    if keras.backend.backend() == "torch":  # Keras lists no devices for torch
        import torch

        return torch.cuda.is_available()
    return bool(keras.distribution.list_devices("gpu"))


def _start(
    recipe: Recipe, size: int, base_weights: str | Path | None, classes: int
) -> tuple[keras.Model, list[str], list[str]]:
    """The network to be trained, the layers that came with weights and those that start fresh.

    The convolutions of VGG16 that are trained get batch normalisation for as long: without it they learn too slowly
    for the epochs that a CPU allows.
    """
    network = BUILDERS[recipe.network](size, classes)
    if base_weights is None:
        return network, [], [layer.name for layer in network.layers if layer.trainable_weights]
    loaded, fresh = load_base_weights(network, base_weights)
    if recipe.network == "vgg16":
        names = [layer.name for layer in network.layers]
        trained = names[names.index(recipe.frozen_until) + 1 :] if recipe.frozen_until else names
        network = vgg16(size, classes, normalised=[layer for layer in trained if "_conv" in layer])
        load_base_weights(network, base_weights)
    return network, loaded, fresh


def _settle_normalisation(
    network: keras.Model, loaded: Sequence[str], training: TrainingSet, seed: int
) -> None:
    """Have a network compute what it was loaded with, batch normalisation that was added to it or not."""
    names = {layer.name for layer in network.layers}
    normalised = [layer for layer in loaded if f"{layer}_norm" in names]
    if normalised:
        rows = np.random.default_rng(seed).integers(len(training.inputs), size=SETTLING)
        unfold_normalisation(network, normalised, as_input(training.inputs[rows]))


@dataclass
class _State:
    """Where a run stands; written after every epoch."""

    phase: int = 0
    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    history: list[dict] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> _State:
        file = folder / "state.json"
        return cls(**json.loads(file.read_text())) if file.is_file() else cls()

    def save(self, folder: Path) -> None:
        temporary = folder / "state.json.new"
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(folder / "state.json")


def _run_phase(
    learner: Learner,
    number: int,
    phase: Phase,
    training: TrainingSet,
    validation: TrainingSet,
    run_folder: Path,
    state: _State,
    seed: int,
) -> None:
    """Goes on where `state` stands; leaves in `phase-NUMBER.weights.h5` the last phase's best weights, others' last.

    An epoch in the middle of a cosine cycle, at a high rate, can be the best on a few validation patients and yet a
    worse start for what follows than the end of the cycle.
    """
    last = number == len(learner.recipe.phases) - 1
    patience = learner.recipe.patience if last else phase.epochs
    model = learner.model
    learner.compile(phase, -(-training.size // learner.recipe.batch_size))
    if state.epoch:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(run_folder / "last.weights.h5")
    else:
        state.best_loss, state.best_epoch = float("inf"), -1
    for _ in _epochs(learner, number, phase, patience, training, validation, state, seed):
        if not last or state.best_epoch == state.epoch:
            learner.network.save_weights(_phase_file(run_folder, number))
        model.save_weights(run_folder / "last.weights.h5")
        state.save(run_folder)
    state.phase, state.epoch = number + 1, 0
    state.save(run_folder)


def _phase_file(run_folder: Path, number: int) -> Path:
    return run_folder / f"phase-{number}.weights.h5"


def _epochs(
    learner: Learner,
    number: int,
    phase: Phase,
    patience: int,
    training: TrainingSet,
    validation: TrainingSet,
    state: _State,
    seed: int,
) -> Iterator[None]:
    """Train epoch by epoch and keep `state` up to date; yields after each, for the caller to save it."""
    batch_size = learner.recipe.batch_size
    steps = -(-training.size // batch_size)
    with tqdm(total=steps * phase.epochs, initial=steps * state.epoch, mininterval=2, unit="step") as bar:
        while state.epoch < phase.epochs and state.epoch - state.best_epoch <= patience:
            losses = []
            for batch in training.batches(batch_size, np.random.default_rng((seed, number, state.epoch))):
                losses.append(learner.step(*batch))
                bar.update()
            found = {"loss": float(np.mean(losses)), **learner.examine(validation)}
            state.epoch += 1
            if found["validation_loss"] < state.best_loss:
                state.best_loss, state.best_epoch = found["validation_loss"], state.epoch
            rounded = {name: round(value, 5) for name, value in found.items()}
            state.history.append({"phase": phase.name, "epoch": len(state.history) + 1, **rounded})
            told = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in found.items())
            bar.write(f"{phase.name}, epoch {state.epoch}/{phase.epochs}: {told}")
            yield
