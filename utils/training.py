"""Training: pictures in, a fitted network out. Backend-neutral Keras 3; resumes where it was stopped.

A recipe is a list of phases. A network with a `frozen_until` layer runs its frozen part once: the features of
every picture, plain and once augmented, are kept on disk, and only the rest is trained.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils import metrics
from utils.augmentation import augment
from utils.datasets import CLASSES
from utils.networks import BUILDERS, fold_normalisation, load_base_weights, logits_of, split_at
from utils.preprocessing import preprocess
from utils.scans import read_scan_file


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one input size and with one learning-rate cycle (warm-up, then cosine decay)."""

    name: str
    size: int  # pixels
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Recipe:
    """How one network is trained. `frozen_until` names the last layer that is never changed."""

    phases: tuple[Phase, ...]
    batch_size: int = 32
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    patience: int = 10  # epochs without a lower validation loss
    frozen_until: str | None = None

    def changed(self, epochs: int | None = None, batch_size: int | None = None) -> Recipe:
        """The recipe with another batch size, or so many epochs in all, shared among the phases in proportion."""
        phases = self.phases
        if epochs is not None:
            total = sum(phase.epochs for phase in phases)
            phases = tuple(
                replace(phase, epochs=max(1, round(epochs * phase.epochs / total))) for phase in phases
            )
        return replace(self, phases=phases, batch_size=batch_size or self.batch_size)


# Both learn at a lower resolution first, where a step costs a third (progressive resizing: Howard, fast.ai 2018).
RECIPES = {
    "cnn": Recipe(phases=(Phase("low resolution", 128, 24, 2e-3), Phase("full resolution", 224, 13, 1e-3))),
    "vgg16": Recipe(
        phases=(Phase("head and fresh layers", 128, 10, 1e-3), Phase("fine-tuning", 224, 3, 3e-4)),
        frozen_until="block3_pool",
    ),
}


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
    """Train one network on the rows of `samples` whose `part` is train; validation rows choose the best epoch.

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


def load_pictures(paths: list[str], size: int) -> np.ndarray:
    """(N, size, size) uint8, every file read and preprocessed as the app does it. Raises UnreadableScan."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda path: preprocess(read_scan_file(path).pixels, size)[0], paths)))


def fastest_precision() -> str:
    """ "mixed_bfloat16" where the machine computes it natively (a GPU, or a CPU that says so), else "float32"."""
    try:
        flags = Path("/proc/cpuinfo").read_text(errors="ignore")
    except OSError:
        flags = ""
    native = "avx512_bf16" in flags or "amx_bf16" in flags
    return "mixed_bfloat16" if native or keras.distribution.list_devices("gpu") else "float32"


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
        network = BUILDERS[name](size, normalised=convolutions)
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
    """Leaves the best weights of the phase in `network`."""
    best_file = run_folder / f"best-{number}.weights.h5"
    if state.phase > number:
        network.load_weights(best_file)
        return
    images = load_pictures(list(train_rows["path"]), phase.size)
    pictures = pd.factorize(train_rows["picture"])[0]
    targets = train_rows["target"].map(CLASSES.index).to_numpy()
    validation = load_pictures(list(validation_rows["path"]), phase.size)
    validation_targets = validation_rows["target"].map(CLASSES.index).to_numpy()
    model = logits_of(network)
    transform: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = augment
    if recipe.frozen_until:
        trunk, model = split_at(network, recipe.frozen_until, "top")
        for layer in trunk.layers:
            layer.trainable = False
        first = np.unique(pictures, return_index=True)[1]
        images, pictures, targets = images[first], pictures[first], targets[first]
        rng = np.random.default_rng((seed, number))
        changed = np.stack([augment(image, rng) for image in images])
        say(f"{phase.name}: features of {2 * len(images) + len(validation)} pictures at {phase.size} px")
        images = _features(trunk, np.concatenate([images, changed]), run_folder / f"features-{number}.npy")
        pictures, targets = np.tile(pictures, 2), np.tile(targets, 2)
        validation = _features(trunk, validation, run_folder / f"features-{number}-validation.npy")
        transform = _mirror_features
    steps = -(-(int(pictures.max()) + 1) // recipe.batch_size)
    if state.epoch == 0:
        state.best_loss, state.best_epoch = float("inf"), -1
    _compile(model, phase, recipe, steps)
    if state.epoch:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(run_folder / "last.weights.h5")
        say(f"{phase.name}: going on after epoch {state.epoch}")
    class_weights = _class_weights(targets, pictures)
    with tqdm(total=steps * phase.epochs, initial=steps * state.epoch, mininterval=2, unit="step") as bar:
        while state.epoch < phase.epochs and state.epoch - state.best_epoch <= recipe.patience:
            rng = np.random.default_rng((seed, number, state.epoch))
            losses = []
            for rows in _epoch_rows(pictures, recipe.batch_size, rng):
                batch = images[rows]
                if transform is not None:
                    batch = np.stack([transform(image, rng) for image in batch])
                batch = batch[..., None] if batch.ndim == 3 else batch
                wanted = np.eye(len(CLASSES), dtype=np.float32)[targets[rows]]
                weight = class_weights[targets[rows]]
                losses.append(
                    float(model.train_on_batch(batch.astype(np.float32), wanted, sample_weight=weight))
                )
                bar.update()
            logits = predict_logits(model, validation)
            loss = metrics.cross_entropy(logits, validation_targets)
            accuracy = float(np.mean(logits.argmax(axis=1) == validation_targets))
            state.epoch += 1
            state.history.append(
                {
                    "phase": phase.name,
                    "epoch": len(state.history) + 1,
                    "loss": round(float(np.mean(losses)), 5),
                    "validation_loss": round(loss, 5),
                    "validation_accuracy": round(accuracy, 5),
                }
            )
            if loss < state.best_loss:
                state.best_loss, state.best_epoch = loss, state.epoch
                network.save_weights(best_file)
            model.save_weights(run_folder / "last.weights.h5")
            state.save(run_folder)
            bar.write(f"{phase.name}, epoch {state.epoch}/{phase.epochs}: training loss {np.mean(losses):.4f}, "
                      f"validation loss {loss:.4f}, accuracy {accuracy:.4f}")  # fmt: skip
    network.load_weights(best_file)
    state.phase, state.epoch = number + 1, 0
    state.save(run_folder)
    for file in run_folder.glob(f"features-{number}*.npy"):
        file.unlink()


def predict_logits(model: keras.Model, inputs: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """(N, classes) float32 from (N, S, S) uint8 pictures or (N, h, w, c) features."""
    inputs = inputs[..., None] if inputs.ndim == 3 else inputs
    parts = [
        keras.ops.convert_to_numpy(
            model.predict_on_batch(inputs[start : start + batch_size].astype(np.float32))
        )
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


def _epoch_rows(pictures: np.ndarray, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Every picture once, in random order, through one random row of those that show it."""
    shuffled = rng.permutation(len(pictures))
    chosen = shuffled[np.unique(pictures[shuffled], return_index=True)[1]]
    rng.shuffle(chosen)
    for start in range(0, len(chosen), batch_size):
        yield chosen[start : start + batch_size]


def _class_weights(targets: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """(classes,) float32: inverse to how many pictures a class has, 1 on average over the pictures."""
    first = np.unique(pictures, return_index=True)[1]
    counts = np.bincount(targets[first], minlength=len(CLASSES)).astype(np.float32)
    return (len(first) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)


def _mirror_features(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return features[:, ::-1] if rng.random() < 0.5 else features


def _features(trunk: keras.Model, images: np.ndarray, file: Path) -> np.ndarray:
    """(N, h, w, c) float16 on disk, mapped into memory; computed once a run."""
    shape = (len(images), *trunk.output_shape[1:])
    if file.is_file():
        stored = np.load(file, mmap_mode="r")
        if stored.shape == shape:
            return stored
    partial = file.with_suffix(".part.npy")
    stored = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    for start in tqdm(range(0, len(images), 32), mininterval=5, unit="batch"):
        batch = images[start : start + 32, ..., None].astype(np.float32)
        stored[start : start + 32] = keras.ops.convert_to_numpy(trunk.predict_on_batch(batch)).astype(
            np.float16
        )
    stored.flush()
    partial.replace(file)
    return np.load(file, mmap_mode="r")
