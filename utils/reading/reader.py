"""Reader: one trained network with its calibration. Scan -> Reading; one forward pass for everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from utils.evidence.cams import METHODS, gradient_maps, score_cam
from utils.metrics.classification import softmax
from utils.networks.card_facts import FOUR_CLASS, SUBTYPES, Task
from utils.networks.cards import Card, NetworkUnavailable, check_weights, load_card
from utils.networks.surgery import map_layers, split_at
from utils.reading.ood_detector import load_detector
from utils.scans.preprocessing import Geometry, preprocess
from utils.scans.scan import Scan

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
    where it is not "ok", "inverted", "turned". `seconds`: the scan's share of the time for its batch, preprocessing,
    forward pass and maps.
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
    """A loaded network. Safe to share between threads."""

    def __init__(self, network: keras.Model, card: Card) -> None:
        self.card = card
        self.network = network
        self.classes = card.classes
        self.size = card.input_size
        evidence, self.head = split_at(network, card.evidence_layer)
        self._forward = keras.Model(network.inputs, [evidence.outputs[0], network.get_layer("logits").output])
        self.layers = map_layers(network)
        self._cuts: dict[str, tuple[keras.Model, keras.Model]] = {}
        self._detector = load_detector(card)
        self._lock = threading.Lock()

    @classmethod
    def load(cls, weights: Path) -> Reader:
        """Raises NetworkUnavailable where file or card is missing, they do not fit, or it is for segmentation."""
        return cls(*load_network(weights, (FOUR_CLASS, SUBTYPES)))

    def read(self, scan: Scan) -> Reading:
        return self.read_many([scan])[0]

    def read_many(self, scans: Sequence[Scan], with_maps: bool = True) -> list[Reading]:
        """One Reading a scan, in order. Without maps (which need TensorFlow) their arrays are zero."""
        readings: list[Reading] = []
        for start in range(0, len(scans), BATCH):
            readings += self._read_batch(scans[start : start + BATCH], with_maps)
        return readings

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
        head, tensors = self._head_at(layer, inputs, readings)
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
                with self._lock:
                    maps = gradient_maps(head, tensors, len(self.classes), method)
            for row, reading in enumerate(readings):
                result[row][method] = replace(reading, maps=maps[row], method=method, layer=layer)
        return result

    def predict_logits(self, inputs: np.ndarray) -> np.ndarray:
        """(N, C) logits of network inputs (N, S, S, 1) float32 0..255."""
        with self._lock:
            return keras.ops.convert_to_numpy(self._forward.predict_on_batch(inputs)[1])

    def _head_at(
        self, layer: str, inputs: np.ndarray, readings: Sequence[Reading]
    ) -> tuple[keras.Model, list[np.ndarray]]:
        """The part of the network behind a layer, and its inputs. Heads are cached: building one is slow."""
        if layer == self.card.evidence_layer:
            return self.head, [np.stack([reading.features for reading in readings]).astype(np.float32)]
        if layer not in self.layers:
            raise ValueError(
                f"{self.card.name} has no layer {layer} with maps; it has {', '.join(self.layers)}."
            )
        with self._lock:
            if layer not in self._cuts:
                self._cuts[layer] = split_at(self.network, layer)
            trunk, head = self._cuts[layer]
            outputs = trunk([inputs[..., None]])
        tensors = outputs if isinstance(outputs, list) else [outputs]
        return head, [keras.ops.convert_to_numpy(tensor) for tensor in tensors]

    def _read_batch(self, scans: Sequence[Scan], with_maps: bool) -> list[Reading]:
        began = time.perf_counter()
        images, geometries = zip(*(preprocess(scan.pixels, self.size) for scan in scans), strict=True)
        with self._lock:
            outputs = self._forward.predict_on_batch(np.stack(images)[..., None].astype(np.float32))
            features, logits = (keras.ops.convert_to_numpy(output) for output in outputs)
            if with_maps:
                maps = gradient_maps(self.head, [features], len(self.classes))
            else:
                maps = np.zeros((len(scans), len(self.classes), *features.shape[1:3]), np.float32)
        seconds = (time.perf_counter() - began) / len(scans)
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
            for row in range(len(scans))
        ]


def load_network(weights: Path, tasks: Sequence[Task]) -> tuple[keras.Model, Card]:
    """A network of one of these tasks, with its card.

    Raises NetworkUnavailable where file or card is missing, they do not fit, the task is another, or the file holds
    code.
    """
    card = load_card(weights)
    if card.task not in tasks:
        raise NetworkUnavailable(f"{weights} is for the task {card.task}; give one for {' or '.join(tasks)}.")
    check_weights(card)
    try:
        return keras.saving.load_model(weights, compile=False, safe_mode=True), card
    except ValueError:  # what Keras raises for a file that would run code
        raise NetworkUnavailable(
            f"{weights} cannot be loaded safely: it is damaged or holds code of its own. Train it again."
        ) from None


def _unsure(probabilities: np.ndarray, threshold: float | None) -> tuple[str, ...]:
    return ("unsure",) if threshold is not None and probabilities.max() < threshold else ()
