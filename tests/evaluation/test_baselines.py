"""The baselines answer for every test image; the shortcut knows nothing but sequence and size."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.classes import CLASSES, OTHER_TUMOR
from utils.evaluation.baselines import BASELINES
from utils.evaluation.prediction_figures import figures_of
from utils.results.titles import BASELINE_TITLES


@pytest.fixture
def samples(tmp_path, draw_brain) -> pd.DataFrame:
    """Two sources; gliomas have a bright blot, OTHER_TUMOR as well."""
    rows = []
    for index in range(24):
        target = ("glioma", "no_tumor", OTHER_TUMOR)[index % 3]
        pixels = draw_brain(80, 80, seed=index)
        if target != "no_tumor":
            pixels[30:55, 30:55] = 1
        path = tmp_path / f"{index}.png"
        Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)
        sequence = ("T1C+", "T2")[index % 2]
        rows.append([str(path), path.name, ("a", "b")[index % 2], sequence, index, index, target, 0])
    columns = ["path", "file", "source", "sequence", "group", "picture", "target", "original_side"]
    return pd.DataFrame(rows, columns=columns)


@pytest.mark.parametrize("name", BASELINES)
def test_every_test_image_gets_an_answer(samples, name):
    train, test = samples[:12], samples[12:].reset_index(drop=True)
    predicted = BASELINES[name](train, test)
    assert len(predicted) == len(test) and set(predicted["label"]) <= set(CLASSES)
    if CLASSES[0] in predicted:
        np.testing.assert_allclose(predicted[list(CLASSES)].sum(axis=1), 1)
    if name != "shortcut":
        known = test["target"] != OTHER_TUMOR
        assert (predicted["label"] == test["target"])[known].mean() > 0.6


def test_the_shortcut_looks_at_sequence_and_size_alone(samples):
    test = samples[:4].assign(sequence=["T1C+", "T2", "", ""], original_side=[0, 0, 512, 256])
    assert list(BASELINES["shortcut"](samples, test)["label"]) == ["glioma", "no_tumor", "glioma", "no_tumor"]


def test_figures_tell_types_over_known_classes_and_tumours_over_all(samples):
    healthy = samples["target"] == "no_tumor"
    predicted = pd.DataFrame(0.1, index=samples.index, columns=list(CLASSES))
    predicted["no_tumor"] = np.where(healthy, 0.7, 0.1)
    predicted["meningioma"] = np.where(healthy, 0.1, 0.7)
    predictions = pd.concat([samples, predicted.idxmax(axis=1).rename("label"), predicted], axis=1)
    figures = figures_of(predictions, tumor_threshold=0.5, conformal_threshold=0.2)
    assert figures["n"] == 16 and figures["accuracy"] == 0.5, "other tumours are of no type, right or wrong"
    assert figures["tumor"]["tumors"] == 16 and figures["tumor"]["sensitivity"] == 1
    assert figures["coverage"]["label_sets"]["coverage"] == 0.5
    assert set(figures["parts"]) == {"a", "a T1C+", "b", "b T2"}
    assert figures["parts"]["a"]["recall"] == {"glioma": 0.0, "no_tumor": 1.0}
    without_threshold = figures_of(predictions.drop(columns=list(CLASSES)))
    assert without_threshold["tumor"]["sensitivity"] == 1 and without_threshold["tumor"]["auc"] is None


def test_every_baseline_has_a_title() -> None:
    assert set(BASELINE_TITLES) == set(BASELINES)
