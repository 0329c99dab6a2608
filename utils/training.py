"""Training: pictures in, a fitted network out. Backend-neutral Keras 3; resumes where it was stopped.

A recipe is a list of phases. The layers up to `frozen_until` are run but not trained. Their output is not cached:
pictures are changed anew in every epoch, and with a few stored copies of each VGG16 learned the copies by heart.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils import metrics
from utils.calibration import fit_temperature
from utils.classes import CLASSES, right_answers
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
    samples: pd.DataFrame,
    run_folder: Path,
    recipe: Recipe,
    seed: int = 0,
    base_weights: str | Path | None = None,
    teacher: keras.Model | None = None,
    classes: Sequence[str] = CLASSES,
    size: int | None = None,
    say: Callable[[str], None] = print,
) -> Trained:
    """Train one network on the rows of `samples` whose `part` is train; validation rows choose the last phase's epoch.

    `run_folder` keeps checkpoints: calling again with the same arguments goes on after the last whole epoch.
    `teacher` is a network with the same classes: its answers to the changed pictures are learned beside the labels.
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
            network, loaded, fresh = _start(name, phase.size, base_weights, len(classes))
            if number == 0 and base_weights is not None:
                say(f"loaded from {base_weights}: {', '.join(loaded)}\nstart fresh: {', '.join(fresh)}")
            if previous is not None:
                network.set_weights(previous.get_weights())
            learner = _Learner(network, recipe, teacher, classes)
            _run_phase(learner, number, phase, train_rows, validation_rows, run_folder, state, seed, say)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert network is not None
    final = BUILDERS[name](network.input_shape[1], len(classes))
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


def _start(
    name: str, size: int, base_weights: str | Path | None, classes: int
) -> tuple[keras.Model, list[str], list[str]]:
    """The network to be trained, the layers that came with weights and those that start fresh.

    Fresh convolutions behind loaded ones get batch normalisation while they are trained: without it six of them
    hardly learn in the epochs that a CPU allows.
    """
    network = BUILDERS[name](size, classes)
    if base_weights is None:
        return network, [], [layer.name for layer in network.layers if layer.trainable_weights]
    loaded, fresh = load_base_weights(network, base_weights)
    convolutions = [layer for layer in fresh if layer != "logits"]
    if name == "vgg16" and convolutions:
        network = vgg16(size, classes, normalised=convolutions)
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


class _Learner:
    """A network on the school bench: what it is asked in a step, and what the step costs it."""

    def __init__(
        self, network: keras.Model, recipe: Recipe, teacher: keras.Model | None, classes: Sequence[str]
    ) -> None:
        self.network, self.recipe, self.teacher, self.classes = network, recipe, teacher, classes
        self.answers = logits_of(network)
        features = network.get_layer("pooled").input
        maps = network.get_layer("logits")(
            features
        )  # place by place; their mean is the logits, dropout apart
        self.grid = features.shape[1]
        self.model = keras.Model(network.inputs, [self.answers.output, maps])
        if recipe.frozen_until:
            names = [layer.name for layer in network.layers]
            for layer in network.layers[: names.index(recipe.frozen_until) + 1]:
                layer.trainable = False

    def compile(self, phase: Phase, steps: int) -> None:
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
        self.model.compile(
            optimizer=optimizer,
            loss=[answer_loss(self.recipe.label_smoothing, self.recipe.teaching), pointing_loss],
            loss_weights=[1.0, self.recipe.pointing],
        )

    def step(self, inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray, masks: np.ndarray) -> float:
        """Learn from one batch; returns its loss."""
        wanted = targets
        if self.teacher is not None:
            wanted = np.concatenate([targets, probabilities_of(self.teacher, inputs)], axis=1)
        losses = self.model.train_on_batch(
            inputs, [wanted, places(masks, targets, self.grid)], [weights, weights], return_dict=True
        )
        return float(losses["loss"])


def _run_phase(
    learner: _Learner,
    number: int,
    phase: Phase,
    train_rows: pd.DataFrame,
    validation_rows: pd.DataFrame,
    run_folder: Path,
    state: _State,
    seed: int,
    say: Callable[[str], None],
) -> None:
    """Leaves the weights of the phase in the network: of the last phase the best, of the others the last.

    An epoch in the middle of a cosine cycle, at a high rate, can be the best on a few validation patients and yet a
    worse start for what follows than the end of the cycle.
    """
    weights_file = run_folder / f"phase-{number}.weights.h5"
    last = number == len(learner.recipe.phases) - 1
    if state.phase == number:
        training = training_set(train_rows, phase.size, phase.augmented, learner.classes)
        validation = load_pictures(list(validation_rows["path"]), phase.size)
        learner.compile(phase, -(-training.size // learner.recipe.batch_size))
        model = learner.model
        if state.epoch:
            model.optimizer.build(model.trainable_variables)
            model.load_weights(run_folder / "last.weights.h5")
            say(f"{phase.name}: going on after epoch {state.epoch}")
        else:
            state.best_loss, state.best_epoch = float("inf"), -1
        targets = right_answers(validation_rows["target"], learner.classes)
        patience = learner.recipe.patience if last else phase.epochs
        for _ in _epochs(learner, number, phase, patience, training, validation, targets, state, seed):
            if not last or state.best_epoch == state.epoch:
                learner.network.save_weights(weights_file)
            model.save_weights(run_folder / "last.weights.h5")
            state.save(run_folder)
        state.phase, state.epoch = number + 1, 0
        state.save(run_folder)
    learner.network.load_weights(weights_file)


def _epochs(
    learner: _Learner,
    number: int,
    phase: Phase,
    patience: int,
    training: TrainingSet,
    validation: np.ndarray,
    targets: np.ndarray,  # (N, C), 1 for each right answer
    state: _State,
    seed: int,
) -> Iterator[None]:
    """Train epoch by epoch and keep `state` up to date; yields after each, for the caller to save it."""
    batch_size = learner.recipe.batch_size
    steps = -(-training.size // batch_size)
    known = targets.sum(axis=1) == 1
    with tqdm(total=steps * phase.epochs, initial=steps * state.epoch, mininterval=2, unit="step") as bar:
        while state.epoch < phase.epochs and state.epoch - state.best_epoch <= patience:
            losses = []
            for batch in training.batches(batch_size, np.random.default_rng((seed, number, state.epoch))):
                losses.append(learner.step(*batch))
                bar.update()
            logits = predict_logits(learner.answers, validation)
            # after temperature, which is fitted anyway: a network that only grows too sure must not look worse
            temperature = fit_temperature(logits[known], targets[known].argmax(axis=1))
            loss = metrics.set_cross_entropy(logits / temperature, targets)
            accuracy = float(np.mean(targets[np.arange(len(logits)), logits.argmax(axis=1)]))
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


def probabilities_of(teacher: keras.Model, inputs: np.ndarray) -> np.ndarray:
    """(N, C) float32: what a teacher answers to (N, S, S, 1) pictures, at its own input size."""
    size = teacher.input_shape[1]
    if inputs.shape[1] != size:
        inputs = np.stack([cv2.resize(one, (size, size)) for one in inputs[..., 0]])[..., None]
    return keras.ops.convert_to_numpy(teacher.predict_on_batch(inputs)).astype(np.float32)


def places(masks: np.ndarray, targets: np.ndarray, grid: int) -> np.ndarray:
    """(N, grid, grid, C) float32: where the evidence for the one right answer should lie, 0..1.

    All 0 where no outline is known. masks: (N, S, S) uint8; targets: (N, C), 1 for each right answer.
    """
    shares = np.stack([cv2.resize(mask, (grid, grid), interpolation=cv2.INTER_AREA) for mask in masks])
    peaks = shares.max(axis=(1, 2), keepdims=True).astype(np.float32)
    shares = shares / np.maximum(peaks, 1)
    return (shares[..., None] * targets[:, None, None, :]).astype(np.float32)


def answer_loss(label_smoothing: float = 0.0, teaching: float = 0.0) -> Callable:
    """Cross-entropy for targets with one or more right answers: minus the logarithm of their common probability.

    The loss takes (N, C) targets (1 for each right answer) and (N, C) logits and returns (N,); with one right answer
    it is the usual cross-entropy, smoothing included (Szegedy et al., CVPR 2016). Targets of (N, 2 C) end with a
    teacher's probabilities: the cross-entropy with them then counts `teaching` of the whole (Hinton et al. 2015;
    Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022).
    """

    def loss(targets, logits):
        logits = keras.ops.cast(logits, "float32")
        targets = keras.ops.cast(targets, "float32")
        classes = logits.shape[-1]
        log_all = keras.ops.logsumexp(logits, axis=-1)
        right = log_all - keras.ops.logsumexp(logits - 1e9 * (1.0 - targets[:, :classes]), axis=-1)
        even = log_all - keras.ops.mean(logits, axis=-1)
        labelled = (1.0 - label_smoothing) * right + label_smoothing * even
        if targets.shape[-1] == classes:
            return labelled
        taught = log_all - keras.ops.sum(targets[:, classes:] * logits, axis=-1)
        return (1.0 - teaching) * labelled + teaching * taught

    return loss


def pointing_loss(places, maps):
    """(N,) minus the logarithm of the share of a class's evidence, as a softmax over places, that lies in the mask.

    places: (N, h, w, C) 0..1, 0 but for the right class, all 0 where no outline is known: there the loss is 0.
    maps: (N, h, w, C), each place's contribution to the logits. After Ross et al., "Right for the right reasons",
    IJCAI 2017.
    """
    maps = keras.ops.cast(maps, "float32")
    of_class = keras.ops.max(places, axis=(1, 2), keepdims=True)
    evidence = keras.ops.sum(maps * of_class, axis=-1)
    inside = keras.ops.log(keras.ops.sum(places, axis=-1) + 1e-6)
    missed = keras.ops.logsumexp(evidence, axis=(1, 2)) - keras.ops.logsumexp(evidence + inside, axis=(1, 2))
    return missed * keras.ops.max(of_class, axis=(1, 2, 3))
