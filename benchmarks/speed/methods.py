"""The methods of reading scans that are compared. Each runs in its own process, because peaks of memory would mix."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.tables import memory_now, peak_memory
from utils.networks.cards import load_card
from utils.networks.registry import app_networks
from utils.networks.runtime.choice import BFLOAT16, FLOAT32, KERAS, choose, has_bfloat16
from utils.networks.shipped import evidence_scale, load_ensemble, segmentation_weights
from utils.paths import models_folder

if TYPE_CHECKING:
    from utils.reading.joint import JointReader

FLOAT32_AND_UNET, BFLOAT16_AND_UNET = f"{FLOAT32} with the U-Net", f"{BFLOAT16} with the U-Net"
WARM_UP = 2  # runs that are not timed; the first builds the graphs
OPACITY = 0.8  # initial value of the Read page

Run = Callable[[], object]


def weights_files() -> list[Path]:
    """The two shipped networks, in the order of the app."""
    return [models_folder() / f"{name}.keras" for name in app_networks()]


def plain(files: Sequence[bytes]) -> Run:
    """Two forward passes over prepared inputs: the lower bound for any program that uses both networks."""
    import keras

    from utils.scans.preprocessing import preprocess
    from utils.scans.upload import read_scan

    scans = [read_scan(data, "scan.png") for data in files]
    passes = []
    for weights in weights_files():
        network = keras.saving.load_model(weights, compile=False)
        size = load_card(weights).input_size
        inputs = np.stack([preprocess(scan.pixels, size)[0] for scan in scans])[..., None].astype(np.float32)
        passes.append((network, inputs))

    def run() -> None:
        for network, inputs in passes:
            network.predict_on_batch(inputs)

    return run


def app(files: Sequence[bytes], runtime: str, with_segmenter: bool = False) -> Run:
    """What the app does: bytes, scan, both readings with the maps of every class, both overlays of one class.

    with_segmenter: also the U-Net's two passes a scan, the outline, and the ensemble's answer.
    """
    from utils.reading.reader import Reader
    from utils.scans.example import synthetic_scan

    with choose(runtime):
        readers = [Reader.load(weights) for weights in weights_files()]
        joint_reader = load_joint_reader() if with_segmenter else None
    for reader in readers:
        reader.read(synthetic_scan())  # as the app warms up

    def run() -> None:
        read_and_draw(files, readers, joint_reader, {})

    return run


def load_joint_reader() -> JointReader:
    """The segmentation network and the ensemble, as in the app."""
    from utils.reading.joint import JointReader
    from utils.reading.segmenter import Segmenter

    ensemble = load_ensemble()
    return JointReader(Segmenter.load(segmentation_weights()), ensemble.detection if ensemble else None)


def usual(files: Sequence[bytes]) -> Run:
    """What most programs do: `predict`, then tf-keras-vis on the whole network for the predicted class, scan by scan.

    Decoding and preprocessing are the app's. No overlay is drawn, which favours this method.
    """
    import keras
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.model_modifiers import ReplaceToLinear
    from tf_keras_vis.utils.scores import CategoricalScore

    from utils.scans.preprocessing import preprocess
    from utils.scans.upload import read_scan

    networks = []
    for weights in weights_files():
        network = keras.saving.load_model(weights, compile=False)
        visualiser = Gradcam(network, model_modifier=ReplaceToLinear(), clone=True)
        networks.append((network, visualiser, load_card(weights)))

    def run() -> None:
        for data in files:
            scan = read_scan(data, "scan.png")
            for network, visualiser, card in networks:
                image = preprocess(scan.pixels, card.input_size)[0][None, ..., None].astype(np.float32)
                label = int(network.predict(image, verbose=0)[0].argmax())
                visualiser(
                    CategoricalScore(label),
                    image,
                    penultimate_layer=card.evidence_layer,
                    seek_penultimate_conv_layer=False,
                )

    return run


METHODS: dict[str, Callable[[Sequence[bytes]], Run]] = {
    "plain": plain,
    **{runtime: partial(app, runtime=runtime) for runtime in (FLOAT32, BFLOAT16, KERAS)},
    FLOAT32_AND_UNET: partial(app, runtime=FLOAT32, with_segmenter=True),
    BFLOAT16_AND_UNET: partial(app, runtime=BFLOAT16, with_segmenter=True),
    "usual": usual,
}


def app_methods() -> list[str]:
    """The ways of the app that can be measured here: bfloat16 needs a processor and cards for it."""
    measured = [load_card(weights).bfloat16 for weights in weights_files()]
    in_bfloat16 = [BFLOAT16, BFLOAT16_AND_UNET] if all(measured) and has_bfloat16() else []
    return [FLOAT32, FLOAT32_AND_UNET, *in_bfloat16, KERAS]


def serve(method: str, files: Sequence[bytes], pipe: Connection) -> None:
    """Answer each True with the seconds of one run, and False, the end, with the peak memory of the process."""
    run = METHODS[method](files)
    for _ in range(WARM_UP):
        run()
    pipe.send("ready")
    while pipe.recv():
        begin = time.perf_counter()
        run()
        pipe.send(time.perf_counter() - begin)
    pipe.send(peak_memory())


def keep_many(files: Sequence[bytes], pipe: Connection) -> None:
    """Read many scans as the app does and send the memory (loaded, now, peak) in bytes, None if unknown."""
    from utils.app import session  # noqa: F401  loads Streamlit, as in the app
    from utils.reading.background import release
    from utils.reading.reader import Reader
    from utils.scans.example import synthetic_scan

    readers = [Reader.load(weights) for weights in weights_files()]
    for reader in readers:
        reader.read(synthetic_scan())
    joint_reader = load_joint_reader()
    joint_reader.segmenter.outline(synthetic_scan())
    release(readers, joint_reader)
    loaded = memory_now()
    worklist: dict[str, object] = {}
    read_and_draw(files, readers, joint_reader, worklist)
    release(readers, joint_reader)
    assert len(worklist) == len(files)
    pipe.send((loaded, memory_now(), peak_memory()))


def read_and_draw(
    files: Sequence[bytes], readers: Sequence, joint_reader: JointReader | None, worklist: dict[str, object]
) -> None:
    """Read files into a worklist in batches, as the app does, and draw each as the Read page does."""
    from utils.evidence import overlays
    from utils.reading.worklist import READ_AT_ONCE, open_files, read_entries

    opened = open_files([(f"scan {number}.png", data) for number, data in enumerate(files)])
    for start in range(0, len(opened), READ_AT_ONCE):
        for entry in read_entries(opened[start : start + READ_AT_ONCE], readers, joint_reader):
            worklist[entry.key] = entry
            assert entry.scan is not None, entry.reason
            label = entry.readings[0].shown_class
            for reading in entry.readings:
                overlays.overlay(entry.scan.pixels, reading.strength(label, evidence_scale()), OPACITY)
