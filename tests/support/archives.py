"""An archive of drawn scans: images, series spread over folders and ZIPs, a volume, and what cannot be read."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest
from PIL import Image
from pydicom import uid

from tests.support.corpus import dicom, dicom_bytes, drawing
from tests.support.networks import write_card
from utils.paths import file_sha256

IMAGES = 120
SERIES_LENGTH = 24
SLICES = IMAGES + 3 * SERIES_LENGTH + 3  # three series; three files in the mixed ZIP
REFUSALS = 4


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(drawing(seed)).save(buffer, "PNG")
    return buffer.getvalue()


def series(number: int) -> list[bytes]:
    """The files of one DICOM series."""
    series_uid = uid.generate_uid(entropy_srcs=[f"archive {number}"])
    return [
        dicom_bytes(
            dicom(
                seed=100 * number + place,
                number=place + 1,
                SeriesInstanceUID=series_uid,
                SOPInstanceUID=uid.generate_uid(entropy_srcs=[f"archive {number} {place}"]),
                ImagePositionPatient=[0, 0, float(place)],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                SeriesDescription="T2 TSE",
            )
        )
        for place in range(SERIES_LENGTH)
    ]


def zipped(file: Path | IO[bytes], members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def write_archive(root: Path, images: int = IMAGES) -> None:
    """Images, three series, two ZIPs and what cannot be read.

    The first series lies in one folder, the second in two, the third in a folder and a ZIP.
    """
    for number in range(images):
        file = root / f"images/{number % 5}/{number:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(number))
    packed = {}
    for number in range(3):
        for place, data in enumerate(series(number)):
            is_elsewhere = number and place % 2
            if number == 2 and is_elsewhere:
                packed[f"study/{place}.dcm"] = data
                continue
            file = root / f"patient{number}/{'b' if is_elsewhere else 'a'}/{place:02}.dcm"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
    zipped(root / "packed.zip", packed)
    zipped(
        root / "mixed.zip",
        {f"{name}.png": png(500 + seed) for seed, name in enumerate("abc")} | {"d.txt": b"text"},
    )
    (root / "notes.txt").write_text("no scan")
    (root / "empty.png").touch()
    (root / "torn.zip").write_bytes(b"PK\x03\x04 is not enough")
    (root / ".hidden.png").write_bytes(png(1))


def replace_ray(monkeypatch: pytest.MonkeyPatch, read: Callable[..., Iterator[pa.Table]]) -> None:
    """Runs list the files in this process and read them with `read`, which has the arguments of `cluster.read`."""
    pytest.importorskip("ray.data", reason="Ray is not installed (requirements-archive.txt)")
    from utils.archive import cluster, manifest

    @contextmanager
    def running(_: object) -> Iterator[int]:
        yield 1

    monkeypatch.setattr(cluster, "running", running)
    monkeypatch.setattr(cluster, "list_parts", lambda files: map(manifest.with_parts, files))
    monkeypatch.setattr(cluster, "read", read)


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of such an archive. All tests share it: do not change the files."""
    root = tmp_path_factory.mktemp("archive")
    write_archive(root)
    return root


@pytest.fixture(scope="session")
def archive_models(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_models` with a network that outlines whatever is bright and wide."""
    import keras

    from utils.networks.weights import save_small

    folder = tmp_path_factory.mktemp("archive-models") / "models"
    shutil.copytree(tiny_models, folder)
    scan = keras.Input((96, 96, 1))
    mean = keras.layers.AveragePooling2D(5, strides=1, padding="same")(scan)
    logits = keras.layers.Rescaling(20 / 255, offset=-9, name="logits")(mean)
    network = keras.Model(scan, keras.layers.Activation("sigmoid", name="probabilities")(logits))
    weights = folder / "unet.keras"
    save_small(network, weights)
    facts = {"name": "unet", "task": "segmentation", "classes": ["tumor"], "input_size": 96, "threshold": 0.5}
    write_card(weights, facts | {"peak": 0.5, "weights_sha256": file_sha256(weights)})
    return folder
