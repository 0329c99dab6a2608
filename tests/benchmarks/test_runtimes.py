"""The comparison of OpenVINO and Keras, with small networks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.accuracy.runtimes import classifier_differences, outline_differences


def test_small_networks_are_the_same_in_both_runtimes(
    models_copy: Path, dicom_models: Path, tmp_path: Path, png_bytes: Callable[[int], bytes]
) -> None:
    for file in dicom_models.glob("unet.*"):
        shutil.copy(file, models_copy)
    paths = [str(tmp_path / f"{seed}.png") for seed in range(3)]
    for seed, path in enumerate(paths):
        Path(path).write_bytes(png_bytes(seed))
    scans, same, logits, maps = classifier_differences(models_copy / "cnn.keras", paths)
    assert (scans, same) == ("3", "3") and float(logits) < 1e-4 and float(maps) < 1e-4
    scans, probability, pixels = outline_differences(models_copy / "unet.keras", paths)
    assert (scans, pixels) == ("3", "0") and float(probability) < 1e-4
