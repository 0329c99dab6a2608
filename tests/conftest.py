"""Pictures drawn by code, small data sets made of them, and the way to the real ones."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.classes import CLASSES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from utils.reading.reader import Reader
    from utils.reading.worklist import Entry

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE = 300  # seconds until a server answers
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


def _draw_brain(height: int = 220, width: int = 180, seed: int = 0) -> np.ndarray:
    """(height, width) float32 in 0..1: a bright ellipse on black, with folds and ventricles of its own per seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = (y / 0.85) ** 2 + (x / 0.8) ** 2 < 1
    folds = cv2.resize(rng.random((7, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    brain = 0.35 + 0.4 * folds
    for side in (-1, 1):
        brain[(y / 0.3) ** 2 + ((x - side * 0.2) / 0.1) ** 2 < 1] = 0.15
    return np.clip(np.where(inside, brain, 0), 0, 1).astype(np.float32)


@pytest.fixture
def draw_brain() -> Callable[..., np.ndarray]:
    """A function (height, width, seed) -> (height, width) float32: another seed, another picture."""
    return _draw_brain


@pytest.fixture
def brain() -> np.ndarray:
    """One brain-like picture, (220, 180) float32 in 0..1."""
    return _draw_brain()


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A user's own set: four class folders spelt in four ways, eight different pictures in each."""
    root = tmp_path / "own"
    for number, folder in enumerate(("Glioma", "meningioma_tumor", "no tumor", "Pituitary Tumour")):
        (root / folder).mkdir(parents=True)
        for index in range(8):
            pixels = _draw_brain(120 + 4 * index, 110, seed=100 * number + index)
            Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(root / folder / f"{index}.png")
    return root


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder that holds the real sets; the test is skipped where they are not."""
    from utils.datasets.samples import data_folder

    root = data_folder()
    if not (root / "nickparvar" / "manifest.csv").is_file():
        pytest.skip(f"the data sets are not in {root} (set BRAIN_MRI_DATA to their folder)")
    return root


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with two small untrained networks under the names of the shipped ones, and their cards."""
    import keras

    from utils.networks.architectures import EVIDENCE_LAYERS, cnn, save_small
    from utils.networks.cards import Card
    from utils.paths import file_sha256

    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("cnn", "vgg16")):
        keras.utils.set_random_seed(seed)
        weights = folder / f"{name}.keras"
        save_small(cnn(64), weights)
        facts = {
            "name": name,
            "task": "four-class",
            "classes": list(CLASSES),
            "input_size": 64,
            "evidence_layer": EVIDENCE_LAYERS["cnn"],
            "protocol": "patient-disjoint",
            "seed": seed,
            "sources": ["nickparvar"],
            "temperature": 2.0,
            "referral_threshold": 0.2,
            "evidence_scale": {"gradcam": 0.01},
            "openings": [],
            "figures": {},
            "weights_sha256": file_sha256(weights),
        }
        Card(weights.with_suffix(".json"), facts).save()
    return folder


@pytest.fixture
def models_copy(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder of the test's own, which the app and the command line use."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_models, folder)
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(folder))
    return folder


@pytest.fixture
def quick_cnn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is trained as "cnn" has one convolution: for tests of the training, which mostly wait for graphs."""
    import keras

    from utils.networks.architectures import BUILDERS, EVIDENCE_LAYERS

    def build(size: int, classes: int = 4) -> keras.Model:
        scan = keras.Input((size, size, 1), name="scan")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(scan)
        x = keras.layers.Conv2D(8, 5, 4, padding="same", activation="relu", name=EVIDENCE_LAYERS["cnn"])(x)
        x = keras.layers.GlobalAveragePooling2D(name="pooled")(x)
        logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
        answers = keras.layers.Activation("softmax", dtype="float32", name="probabilities")(logits)
        return keras.Model(scan, answers, name="cnn")

    monkeypatch.setitem(BUILDERS, "cnn", build)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], models_copy: Path, tmp_path: Path, monkeypatch
) -> Callable[..., tuple[int, str, str]]:
    """A function (arguments) -> exit code, standard output, standard error; below an empty working folder."""
    import model

    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = model.main([str(argument) for argument in arguments])
        output, errors = capsys.readouterr()
        assert "Traceback" not in errors
        return code, output, errors

    return call


@pytest.fixture
def png_bytes(draw_brain: Callable[..., np.ndarray]) -> Callable[[int], bytes]:
    """A function seed -> a PNG file of a brain-like picture."""

    def encode(seed: int) -> bytes:
        return cv2.imencode(".png", np.rint(draw_brain(seed=seed) * 255).astype(np.uint8))[1].tobytes()

    return encode


@pytest.fixture
def tiny_app(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app and the command line read with the small networks, which all tests share (so: do not change them)."""
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(tiny_models))
    return tiny_models


@pytest.fixture(scope="session")
def tiny_readers(tiny_models: Path) -> list[Reader]:
    """The small networks, loaded."""
    from utils.reading.reader import Reader

    return [Reader.load(tiny_models / f"{name}.keras") for name in ("cnn", "vgg16")]


@pytest.fixture
def bright_reader(tmp_path: Path) -> Reader:
    """A network that calls bright spots glioma, finer and coarser layers alike: where its evidence lies is known."""
    import keras

    from utils.networks.cards import Card
    from utils.reading.reader import Reader

    scan = keras.Input((96, 96, 1), name="scan")
    x = keras.layers.Rescaling(1 / 255)(scan)
    x = keras.layers.Conv2D(2, 1, activation="relu", name="spots")(x)
    x = keras.layers.AveragePooling2D(4, name="coarse")(x)
    x = keras.layers.Activation("linear", name="cells")(x)
    logits = keras.layers.Dense(4, name="logits")(keras.layers.GlobalAveragePooling2D(name="pooled")(x))
    network = keras.Model(scan, keras.layers.Activation("softmax", name="probabilities")(logits), name="cnn")
    network.get_layer("spots").set_weights(
        [np.asarray([[[[1.0, -1.0]]]], np.float32), np.asarray([-0.9, 0.05], np.float32)]
    )
    kernel = np.asarray([[2000.0, 0, 0, 0], [0, 0, 4.0, 0]], np.float32)  # bright: glioma, dark: no_tumor
    network.get_layer("logits").set_weights([kernel, np.asarray([-3, -5, 1, -5], np.float32)])
    facts = {"name": "cnn", "classes": list(CLASSES), "input_size": 96, "evidence_layer": "cells",
             "temperature": 2.0, "weights_sha256": "", "openings": []}  # fmt: skip
    return Reader(network, Card(tmp_path / "bright.json", facts))


@pytest.fixture
def masked_set(tmp_path: Path) -> Path:
    """A set with a manifest: brains with a bright spot whose outline is known, and brains without."""
    import pandas as pd

    folder = tmp_path / "data" / "nickparvar"
    rows = []
    for number in range(24):
        label = ("glioma", "glioma", "meningioma", "no_tumor")[number % 4]
        pixels = 0.8 * _draw_brain(120 + number, 110, seed=number)
        mask = np.zeros(pixels.shape, bool)
        if label != "no_tumor":
            mask[30 + number : 48 + number, 35:50] = True
        file, outline = f"{label}/{number}.png", f"masks/{number}.png" if mask.any() else ""
        pictures = {file: np.where(mask, 1, pixels)} | ({outline: mask.astype(float)} if outline else {})
        for name, picture in pictures.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(255 * picture).astype(np.uint8)).save(folder / name)
        rows.append(
            {"file": file, "label": label, "duplicate_group": number, "group": number // 2, "fold": number // 8,
             "mask": outline}
        )  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder


@pytest.fixture
def gated_models(models_copy: Path, tiny_readers: list[Reader]) -> Path:
    """`models_copy`, its networks with gates that know the brain-like pictures of `draw_brain`."""
    from utils.networks.cards import load_card
    from utils.reading.novelty import describe
    from utils.reading.ood_detector import Described, fit_gate, save_gate
    from utils.scans.preprocessing import preprocess
    from utils.scans.scan import Scan

    for reader in tiny_readers:
        parts = []
        for seeds in (range(500, 560), range(600, 640)):
            scans = [Scan("brain", _draw_brain(seed=seed), "PNG") for seed in seeds]
            pictures = [preprocess(scan.pixels, reader.size)[0] for scan in scans]
            readings = reader.read_many(scans, with_maps=False)
            described = [describe(one.features, two) for one, two in zip(readings, pictures, strict=True)]
            parts.append(Described(np.stack(described), pictures))
        card = load_card(models_copy / f"{reader.card.name}.keras")
        np.savez_compressed(card.statistics, picture_hashes=np.zeros((1, 32), np.uint8))
        save_gate(*fit_gate(*parts), card)
    return models_copy


@pytest.fixture
def entry_saying(tiny_readers: list[Reader], png_bytes: Callable[[int], bytes]) -> Callable[..., Entry]:
    """A function (name, labels, probability, unsure, grade) -> a read entry whose two networks say these labels.

    The grade is the first network's; the second one has nothing against the scan.

    What they say is put into their mouths, with evidence for every class; the rest is the small networks' own.
    """
    from utils.reading.worklist import open_files, read_entries

    def make(
        name: str, labels: tuple[str, str], probability: float = 0.9, unsure: bool = False, grade: str = "ok"
    ) -> Entry:
        entry = read_entries(open_files([(name, png_bytes(sum(name.encode())))]), tiny_readers)[0]
        readings = []
        rng = np.random.default_rng(0)
        for reading, label, judged in zip(entry.readings, labels, (grade, "ok"), strict=True):
            probabilities = np.full(len(reading.classes), (1 - probability) / 3, np.float32)
            probabilities[reading.classes.index(label)] = probability
            flags = (("unsure",) if unsure else ()) + (() if judged == "ok" else (judged,))
            maps = 0.02 * rng.random(reading.maps.shape, np.float32)  # up to full colour on the cards' scale
            readings.append(
                replace(
                    reading, label=label, probabilities=probabilities, flags=flags, maps=maps, grade=judged
                )
            )
        return replace(entry, readings=tuple(readings))

    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that finds a port nobody listens on."""

    def find() -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    return find


@pytest.fixture(scope="session")
def serving(free_port: Callable[[], int]) -> Callable[..., AbstractContextManager[str]]:
    """`with serving(models) as address`: the app, served by a process of its own that reads with these networks.

    `options` go to `streamlit run`, `log` gets what the process prints, `program` stands for `python -m streamlit`.
    """

    @contextmanager
    def serve(
        models: Path | None = None,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        port: int | None = None,
        program: Sequence[str] = ("-m", "streamlit"),
        script: Path = REPOSITORY / "app.py",
    ) -> Iterator[str]:
        port = port or free_port()
        command = [sys.executable, *program, "run", str(script), "--server.headless", "true"]
        named = {} if models is None else {"BRAIN_MRI_MODELS": str(models)}
        with (log or Path(os.devnull)).open("wb") as output:
            server = subprocess.Popen(
                [*command, "--server.port", str(port), *options],
                cwd=REPOSITORY,
                env=os.environ | named | dict(environment or {}),
                stdout=output,
                stderr=output,
            )
            try:
                _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()
                server.wait(60)

    return serve


def _wait_for(address: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, "the server has stopped"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} did not answer")


@pytest.fixture
def evidence_record() -> Callable[[float], dict]:
    """A function: how often the maps hit (0..1) -> what `model.py evaluate --explanations` writes for two methods."""
    from utils.evaluation.evidence_measurement import (
        FAITHFULNESS,
        LOCALISATION,
        STRENGTHS,
        figures_of_evidence,
    )
    from utils.evaluation.faithfulness import DEPTHS

    def make(hits: float) -> dict:
        rng = np.random.default_rng(0)
        rows = []
        for number in range(60):
            target = CLASSES[number % 4]
            for method in ("gradcam", "layercam"):
                row = {
                    "file": f"{number}.png",
                    "source": "made",
                    "group": number // 2,
                    "target": target,
                    "method": method,
                }
                row |= {name: rng.random() for name in (*LOCALISATION, *FAITHFULNESS, *STRENGTHS, *DEPTHS)}
                rows.append(row | {"pointing": float(rng.random() < hits)})
        methods = figures_of_evidence(pd.DataFrame(rows), {"gradcam": 0.5, "layercam": 0.5})
        return {"part": "test", "weights_sha256": "0", "methods": methods}

    return make


@pytest.fixture
def outline_table() -> pd.DataFrame:
    """A row a scan as `outline_figures.compare_all` makes them: 30 tumours, 10 scans without, one falsely outlined."""
    rows = []
    for number in range(40):
        size = 100 + 10 * number if number < 30 else 0
        rows.append(
            {
                "file": f"{number}.png",
                "source": "made",
                "group": number,
                "target": CLASSES[(0, 1, 3)[number % 3]] if size else "no_tumor",
                "tumor_pixels": size,
                "outline_pixels": size if size else 50 * (number == 39),
                "overlap_pixels": int(0.8 * size),
                "size": size / 224**2,
                "tumors": int(size > 0),
                "found": int(size > 0),
            }
        )
    return pd.DataFrame(rows)
