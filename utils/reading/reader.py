"""Reader: one trained network with its calibration. Scan -> Reading; one forward pass for everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.evidence.cams import METHODS, score_cam
from utils.evidence.linear_maps import linear_maps
from utils.metrics.softmax import softmax
from utils.networks.card_facts import FOUR_CLASS, SUBTYPES, Task
from utils.networks.cards import Card, NetworkUnavailable, check_weights, load_card
from utils.networks.runtime.archive import map_layers
from utils.networks.runtime.backend import Backend, load_keras, open_network
from utils.networks.runtime.choice import BFLOAT16, runtime_of
from utils.reading.heads import KerasHeads, linear_head
from utils.reading.ood_detector import load_detector
from utils.scans.preprocessing import Geometry, NetworkInputs, as_input, preprocess
from utils.scans.scan import Scan

if TYPE_CHECKING:
    import keras

BATCH = 16  # scans a forward pass; more costs memory and gains nothing on a CPU


@dataclass(frozen=True)
class Reading:
    """The result of one network for one scan. Everything that pages and reports show comes from here.

    `probabilities` (C,) float32 are calibrated, `logits` (C,) float32 are not. `features` (h, w, k) float16 is the
    evidence layer. `maps` (C, h, w) float32 are the Grad-CAM maps of all classes, not negative, in the network's frame
    and in logits (the sum over a map is the share of the logit that a linear head takes from it), or those of another
    `method` and `layer` (`Reader.explain`); `geometry` transfers them to the scan. `novelty` is the distance to the
    training scans and `grade` the grade of it ("ok", "unusual", "refused"); None and "ok" for a card without
    out-of-distribution detector. `flags` are machine words: "unsure" (below the card's referral threshold), the grade
    where it is not "ok", "inverted", "turned". `seconds`: the scan's share of the time for its batch, forward pass
    and maps.
    """

    network: str
    title: str
    version: str
    classes: tuple[str, ...]
    label: str
    probabilities: np.ndarray
    logits: np.ndarray
    features: np.ndarray
    maps: np.ndarray
    geometry: Geometry
    temperature: float
    novelty: float | None = None
    grade: str = "ok"
    flags: tuple[str, ...] = ()
    seconds: float = 0.0
    method: str = "gradcam"
    layer: str = ""

    def probability(self, label: str) -> float:
        """Calibrated probability of a class."""
        return float(self.probabilities[self.classes.index(label)])

    @property
    def confidence(self) -> float:
        """Calibrated probability of the label."""
        return float(self.probabilities.max())

    def evidence(self, label: str) -> np.ndarray:
        """(H, W) float32: the map of a class on the scan's own pixels, unnormalised, not negative."""
        return self.geometry.to_scan(self.maps[self.classes.index(label)])

    def strength(self, label: str, scale: float) -> np.ndarray:
        """(H, W) float32: the calibrated evidence over `scale` (`shipped.evidence_scale`), 1 at full colour.

        Calibrated means: logits over the temperature, for one cell of the evidence layer, because the cells of a finer
        layer share a logit among more. Score-CAM's maps are probabilities and stay as they are.
        """
        return self.evidence(label) * np.float32(self.calibration / scale)

    @property
    def calibration(self) -> float:
        """The factor that makes maps comparable between scans, layers and networks."""
        if self.method == "scorecam":
            return 1.0
        cells = self.maps[0].size / (self.features.shape[0] * self.features.shape[1])
        return cells / self.temperature

    @property
    def shown_class(self) -> str:
        """The class whose evidence is shown first: the label, or the likeliest tumour class for "no_tumor"."""
        if self.label != "no_tumor":
            return self.label
        return max((name for name in self.classes if name != "no_tumor"), key=self.probability)


class Reader:
    """A network with its calibration, ready to read. Safe to share between threads.

    `runtime` is what computes it (`runtime.choice`). Keras is loaded for maps that have no closed form, when the first
    of them is asked for, and for `network`.
    """

    def __init__(self, backend: Backend, card: Card) -> None:
        """backend: opened for the evidence layer and `logits`."""
        self.card = card
        self.classes = card.classes
        self.size = card.input_size
        self.runtime = backend.runtime
        self.layers = map_layers(backend.layers)
        self._backend = backend
        self._linear = linear_head(backend.layers, card.evidence_layer, backend.logits)
        network = getattr(backend, "network", None)  # Keras's backend has it already
        self._heads = KerasHeads(lambda: network or load_keras(card.weights))
        self._detector = load_detector(card)

    @classmethod
    def load(cls, weights: Path, runtime: str | None = None) -> Reader:
        """runtime: KERAS, FLOAT32 or BFLOAT16 of `runtime.choice` with the card as it is; None: the one chosen.

        Raises NetworkUnavailable where file or card is missing, they do not fit, or it is for segmentation.
        """
        return cls(*load_network(weights, (FOUR_CLASS, SUBTYPES), _outputs, runtime))

    @classmethod
    def of_network(cls, network: keras.Model, card: Card) -> Reader:
        """A reader that computes this Keras model."""
        from utils.networks.runtime.keras_backend import KerasBackend

        return cls(KerasBackend(network, _outputs(card)), card)

    @property
    def network(self) -> keras.Model:
        """The network as a Keras model."""
        return self._heads.network

    def loads_keras(self, method: str, layer: str | None = None) -> bool:
        """Whether `explain` will first load Keras, which takes seconds."""
        is_closed_form = layer in (None, self.card.evidence_layer) and (self._linear or method == "scorecam")
        return not is_closed_form and not self._heads.is_loaded

    def read(self, scan: Scan) -> Reading:
        return self.read_many([scan])[0]

    def read_many(
        self, scans: Sequence[Scan], with_maps: bool = True, inputs: NetworkInputs | None = None
    ) -> list[Reading]:
        """One Reading a scan, in order. Without maps their arrays are zero. `inputs`: those of the scans, if shared."""
        prepared = (inputs or NetworkInputs(scans)).of_size(self.size)
        readings: list[Reading] = []
        for start in range(0, len(scans), BATCH):
            readings += self._read_batch(prepared[start : start + BATCH], with_maps)
        return readings

    def release(self) -> None:
        """`Backend.release`."""
        self._backend.release()

    def explain(
        self,
        scan: Scan,
        reading: Reading,
        method: str = "gradcam",
        layer: str | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Reading:
        """The reading of a scan with the maps of another method (`cams.METHODS`) or layer (one of `layers`).

        At the evidence layer a gradient method needs no forward pass, Score-CAM always some 30; `progress` is called
        with the share of them that is done. Raises ValueError where there is no such layer.
        """
        return self.explain_many([scan], [reading], (method,), layer, progress)[0][method]

    def explain_many(
        self,
        scans: Sequence[Scan],
        readings: Sequence[Reading],
        methods: Sequence[str] = METHODS,
        layer: str | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> list[dict[str, Reading]]:
        """`explain` for a batch of scans with their readings and several methods: {method: Reading} for each scan."""
        layer = layer or self.card.evidence_layer
        inputs = np.stack([preprocess(scan.pixels, self.size)[0] for scan in scans]).astype(np.float32)
        tensors = self._tensors_at(layer, inputs, readings)
        result: list[dict[str, Reading]] = [{} for _ in scans]
        for method in methods:
            if method == "scorecam":
                maps = np.stack(
                    [
                        score_cam(self.predict_logits, *pair, progress=progress)
                        for pair in zip(inputs, tensors[0], strict=True)
                    ]
                )
            else:
                maps = self._gradient_maps(layer, tensors, method)
            for row, reading in enumerate(readings):
                result[row][method] = replace(reading, maps=maps[row], method=method, layer=layer)
        return result

    def predict_logits(self, inputs: np.ndarray) -> np.ndarray:
        """(N, C) logits of network inputs (N, S, S, 1) float32 0..255."""
        return self._backend.run(inputs)[1]

    def _tensors_at(self, layer: str, inputs: np.ndarray, readings: Sequence[Reading]) -> list[np.ndarray]:
        """What the head behind a layer takes: the features first."""
        if layer == self.card.evidence_layer:
            return [np.stack([reading.features for reading in readings]).astype(np.float32)]
        if layer not in self.layers:
            raise ValueError(
                f"{self.card.name} has no layer {layer} with maps; it has {', '.join(self.layers)}."
            )
        return self._heads.tensors(layer, as_input(inputs))

    def _gradient_maps(self, layer: str, tensors: Sequence[np.ndarray], method: str) -> np.ndarray:
        """(N, C, h, w) float32: the maps of a gradient method; in closed form where the head is linear."""
        if self._linear and layer == self.card.evidence_layer:
            return linear_maps(self._linear, tensors[0], method)
        return self._heads.maps(layer, tensors, len(self.classes), method)

    def _read_batch(self, prepared: Sequence[tuple[np.ndarray, Geometry]], with_maps: bool) -> list[Reading]:
        began = time.perf_counter()
        images, geometries = zip(*prepared, strict=True)
        features, logits = self._backend.run(as_input(np.stack(images)))
        if with_maps:
            maps = self._gradient_maps(self.card.evidence_layer, [features], "gradcam")
        else:
            maps = np.zeros((len(images), len(self.classes), *features.shape[1:3]), np.float32)
        seconds = (time.perf_counter() - began) / len(images)
        temperature = self.card.temperature
        probabilities = softmax(logits / temperature).astype(np.float32)
        threshold = self.card.referral_threshold
        features = features.astype(np.float16)
        grades = [
            self._detector.judge(*pair) if self._detector else (None, "ok", ())
            for pair in zip(features, images, strict=True)
        ]
        return [
            Reading(
                network=self.card.name,
                title=self.card.title,
                version=self.card.version,
                classes=self.classes,
                label=self.classes[int(probabilities[row].argmax())],
                probabilities=probabilities[row],
                logits=logits[row],
                features=features[row],
                maps=maps[row],
                geometry=geometries[row],
                temperature=temperature,
                novelty=grades[row][0],
                grade=grades[row][1],
                flags=_unsure(probabilities[row], threshold) + grades[row][2],
                seconds=seconds,
                layer=self.card.evidence_layer,
            )
            for row in range(len(images))
        ]


def load_network(
    weights: Path,
    tasks: Sequence[Task],
    outputs: Callable[[Card], tuple[str, ...]],
    runtime: str | None = None,
) -> tuple[Backend, Card]:
    """A network of one of these tasks, with its card; outputs: names the layers that are computed.

    Raises NetworkUnavailable where file or card is missing, they do not fit, the task is another, or the file holds
    code.
    """
    card = load_card(weights)
    if card.task not in tasks:
        raise NetworkUnavailable(f"{weights} is for the task {card.task}; give one for {' or '.join(tasks)}.")
    check_weights(card)
    if runtime is None and (runtime := runtime_of(card)) == BFLOAT16:
        card = card.measured_in_bfloat16()
    return open_network(card, outputs(card), runtime), card


def _outputs(card: Card) -> tuple[str, ...]:
    return card.evidence_layer, "logits"


def _unsure(probabilities: np.ndarray, threshold: float | None) -> tuple[str, ...]:
    return ("unsure",) if threshold is not None and probabilities.max() < threshold else ()
