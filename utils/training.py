"""Training: pictures in, a fitted network out. Backend-neutral Keras 3; resumes where it was stopped.

A recipe is a list of phases. The layers up to `frozen_until` are run but not trained. Their output is not cached:
pictures are changed anew in every epoch, and with a few stored copies of each VGG16 learned the copies by heart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils import metrics
from utils.calibration import fit_temperature
from utils.classes import CLASSES
from utils.networks import BUILDERS, fold_normalisation, load_base_weights, logits_of, vgg16
from utils.recipes import Phase, Recipe
from utils.sampling import TrainingSet, as_input, load_pictures, training_set


@dataclass(frozen=True)
class Trained:
    """A fitted network (float32, its best weights), its history (one dict an epoch) and where its layers came from."""

    network: keras.Model
    history: list[dict]
    loaded_layers: list[str]
    fresh_layers: list[str]


def train(
    name: str,
    samples: pd.DataFrame,
    run_folder: Path,
    recipe: Recipe,
    seed: int = 0,
    base_weights: str | Path | None = None,
    size: int | None = None,
    say: Callable[[str], None] = print,
) -> Trained:
    """Train one network on the rows of `samples` whose `part` is train; validation rows choose the last phase's epoch.

    `run_folder` keeps checkpoints: calling again with the same arguments goes on after the last whole epoch.
    `size` overrides the input size of every phase (tests use small ones).
    """
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
            network, loaded, fresh = _start(name, phase.size, base_weights)
            if number == 0 and base_weights is not None:
                say(f"loaded from {base_weights}: {', '.join(loaded)}\nstart fresh: {', '.join(fresh)}")
            if previous is not None:
                network.set_weights(previous.get_weights())
            _run_phase(
                network, number, phase, recipe, train_rows, validation_rows, run_folder, state, seed, say
            )
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert network is not None
    final = BUILDERS[name](network.input_shape[1])
    fold_normalisation(network, final)
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


def _start(name: str, size: int, base_weights: str | Path | None) -> tuple[keras.Model, list[str], list[str]]:
    """The network to be trained, the layers that came with weights and those that start fresh.

    Fresh convolutions behind loaded ones get batch normalisation while they are trained: without it six of them
    hardly learn in the epochs that a CPU allows.
    """
    network = BUILDERS[name](size)
    if base_weights is None:
        return network, [], [layer.name for layer in network.layers if layer.trainable_weights]
    loaded, fresh = load_base_weights(network, base_weights)
    convolutions = [layer for layer in fresh if layer != "logits"]
    if convolutions:
        network = vgg16(size, normalised=convolutions)
        load_base_weights(network, base_weights)
    return network, loaded, fresh


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
    network: keras.Model,
    number: int,
    phase: Phase,
    recipe: Recipe,
    train_rows: pd.DataFrame,
    validation_rows: pd.DataFrame,
    run_folder: Path,
    state: _State,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Leaves the weights of the phase in `network`: of the last phase the best, of the others the last.

    An epoch in the middle of a cosine cycle, at a high rate, can be the best on a few validation patients and yet a
    worse start for what follows than the end of the cycle.
    """
    weights_file = run_folder / f"phase-{number}.weights.h5"
    last = number == len(recipe.phases) - 1
    if not last:
        recipe = replace(recipe, patience=phase.epochs)
    if state.phase == number:
        training = training_set(train_rows, phase.size, phase.augmented)
        validation = load_pictures(list(validation_rows["path"]), phase.size)
        model = logits_of(network)
        if recipe.frozen_until:
            names = [layer.name for layer in network.layers]
            for layer in network.layers[: names.index(recipe.frozen_until) + 1]:
                layer.trainable = False
        _compile(model, phase, recipe, -(-training.size // recipe.batch_size))
        if state.epoch:
            model.optimizer.build(model.trainable_variables)
            model.load_weights(run_folder / "last.weights.h5")
            say(f"{phase.name}: going on after epoch {state.epoch}")
        else:
            state.best_loss, state.best_epoch = float("inf"), -1
        targets = validation_rows["target"].map(CLASSES.index).to_numpy()
        for _ in _epochs(model, number, phase, recipe, training, validation, targets, state, seed):
            if not last or state.best_epoch == state.epoch:
                network.save_weights(weights_file)
            model.save_weights(run_folder / "last.weights.h5")
            state.save(run_folder)
        state.phase, state.epoch = number + 1, 0
        state.save(run_folder)
    network.load_weights(weights_file)


def _epochs(
    model: keras.Model,
    number: int,
    phase: Phase,
    recipe: Recipe,
    training: TrainingSet,
    validation: np.ndarray,
    targets: np.ndarray,
    state: _State,
    seed: int,
) -> Iterator[None]:
    """Train epoch by epoch and keep `state` up to date; yields after each, for the caller to save it."""
    steps = -(-training.size // recipe.batch_size)
    with tqdm(total=steps * phase.epochs, initial=steps * state.epoch, mininterval=2, unit="step") as bar:
        while state.epoch < phase.epochs and state.epoch - state.best_epoch <= recipe.patience:
            losses = []
            for inputs, wanted, weights in training.batches(
                recipe.batch_size, np.random.default_rng((seed, number, state.epoch))
            ):
                losses.append(float(model.train_on_batch(inputs, wanted, sample_weight=weights)))
                bar.update()
            logits = predict_logits(model, validation)
            # after temperature, which is fitted anyway: a network that only grows too sure must not look worse
            loss = metrics.cross_entropy(logits / fit_temperature(logits, targets), targets)
            accuracy = float(np.mean(logits.argmax(axis=1) == targets))
            state.epoch += 1
            if loss < state.best_loss:
                state.best_loss, state.best_epoch = loss, state.epoch
            state.history.append(
                {
                    "phase": phase.name,
                    "epoch": len(state.history) + 1,
                    "loss": round(float(np.mean(losses)), 5),
                    "validation_loss": round(loss, 5),
                    "validation_accuracy": round(accuracy, 5),
                }
            )
            bar.write(
                f"{phase.name}, epoch {state.epoch}/{phase.epochs}: training loss {np.mean(losses):.4f}, "
                f"validation loss {loss:.4f}, accuracy {accuracy:.4f}"
            )
            yield


def predict_logits(model: keras.Model, inputs: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """(N, classes) float32 from (N, S, S) uint8 pictures."""
    parts = [
        keras.ops.convert_to_numpy(model.predict_on_batch(as_input(inputs[start : start + batch_size])))
        for start in range(0, len(inputs), batch_size)
    ]
    return np.concatenate(parts).astype(np.float32)


def _compile(model: keras.Model, phase: Phase, recipe: Recipe, steps: int) -> None:
    warm_up = min(2 * steps, steps * phase.epochs // 5)
    rate = keras.optimizers.schedules.CosineDecay(
        phase.learning_rate / 20,
        max(steps * phase.epochs - warm_up, 1),
        alpha=0.1 if warm_up == 0 else 0.0,
        warmup_target=phase.learning_rate,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing)
    model.compile(optimizer=optimizer, loss=loss)
