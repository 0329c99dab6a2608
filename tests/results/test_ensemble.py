"""The networks asked together: they answer where they agree and are sure enough on average."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.networks import write_card
from tests.support.records import evaluation_record
from utils.classes import CLASSES
from utils.datasets.protocols import protocol_named
from utils.metrics.ensemble import fit
from utils.networks.shipped import ENSEMBLE, DetectionWeights, load_ensemble
from utils.records.base import write_record
from utils.results import ensemble, track_record
from utils.results.records import Evaluation, MeasuredModel, load_tumor_scores


def certain(labels: list[int], confidence: list[float]) -> np.ndarray:
    """(N, 4) probabilities with this label and confidence."""
    probabilities = np.repeat((1 - np.asarray(confidence))[:, None] / 3, 4, axis=1)
    probabilities[np.arange(len(labels)), labels] = confidence
    return probabilities


def test_threshold_is_that_of_the_mean_over_scans_on_which_they_agree() -> None:
    first = certain([0, 1, 2, 3], [0.9, 0.8, 0.7, 0.99])
    second = certain([0, 1, 2, 0], [0.7, 0.9, 0.7, 0.98])
    fitted = fit([first, second], np.array([0, 1, 3, 3]))
    thresholds = [pytest.approx(value) for value in (0.8, 0.85, 1.0, 1.0)]
    assert list(fitted["referral_thresholds"].values()) == thresholds
    assert fitted["validation"] == {"n": 4, "agreed": 0.75, "answered": 0.5, "accuracy": 1.0}


def test_where_they_never_agree_nothing_is_answered() -> None:
    fitted = fit([certain([0], [0.9]), certain([1], [0.9])], np.array([0]))
    assert fitted["referral_thresholds"] == dict.fromkeys(CLASSES, 1.0)
    assert fitted["validation"] == {"n": 1, "agreed": 0.0, "answered": 0.0, "accuracy": None}


def evaluation(
    model: str, labels: list[int], confidence: list[float], files: list[str], **figures
) -> Evaluation:
    table = pd.DataFrame({"file": files, "source": "nickparvar", "group": range(len(files))})
    table["target"] = "glioma"
    table["label"] = [CLASSES[label] for label in labels]
    table[list(CLASSES)] = certain(labels, confidence)
    return Evaluation(model, protocol_named("patient-disjoint"), table, evaluation_record(model, **figures))


def test_mean_predictions_are_those_of_the_scans_that_all_have_read() -> None:
    first = evaluation("cnn", [0, 0, 1], [0.9, 0.6, 0.9], ["a", "b", "c"])
    second = evaluation("vgg16", [1, 0], [0.8, 0.7], ["b", "a"])
    table = ensemble.ensemble_predictions([first, second])
    assert table is not None and table["file"].tolist() == ["a", "b"]
    assert table["agreed"].tolist() == [True, False] and table["label"].tolist() == ["glioma", "meningioma"]
    assert table["glioma"].tolist() == pytest.approx([0.8, (0.6 + 0.2 / 3) / 2])
    without = MeasuredModel("vgg16", protocol_named("patient-disjoint"), None)
    assert ensemble.ensemble_predictions([first, without]) is None


def test_fitted_weights_decide_whether_there_is_a_tumour() -> None:
    members = [
        evaluation("cnn", [0, 0], [0.9, 0.6], ["a", "b"]),
        evaluation("vgg16", [0, 0], [0.8, 0.7], ["a", "b"]),
    ]
    for member in members:
        assert member.predictions is not None
        member.predictions[[f"logit_{name}" for name in CLASSES]] = [[1.0, 0, 0, 0], [3.0, 0, 1, 0]]
    weights = DetectionWeights(intercept=0.2, weights={"unet": 2.0, "cnn": 0.5}, fitted_on={"unseen-lgg": 2})
    scores = pd.DataFrame({"file": ["b", "a"], "source": "nickparvar", "tumor_score": [0.01, 0.9]})
    table = ensemble.ensemble_predictions(members, weights, scores)
    assert table is not None and table["label"].tolist() == ["glioma", "no_tumor"]
    assert table["agreed"].tolist() == [True, False]
    odds = 0.2 + 2 * np.log(9) + 0.5 * np.log(np.e + 2)
    assert 1 - table["no_tumor"][0] == pytest.approx(1 / (1 + np.exp(-odds)))
    assert table[list(CLASSES)].sum(axis=1).tolist() == pytest.approx([1, 1])
    scored = ensemble.ensemble_predictions(members, weights, scores[:1])
    assert scored is not None and scored["file"].tolist() == ["b"]
    assert ensemble.ensemble_predictions(members, weights) is None  # the scores of the U-Net are missing


def test_tumour_scores_count_for_the_weights_that_gave_them(tmp_path: Path, outline_record) -> None:
    arguments = (tmp_path, "unet", "patient-disjoint", "0" * 64)
    assert load_tumor_scores(*arguments) is None
    record = outline_record.model_copy(update={"weights_sha256": "0" * 64})
    write_record(tmp_path / "unet--patient-disjoint.json", record)
    assert load_tumor_scores(*arguments) is None
    table = tmp_path / "unet--patient-disjoint.csv"
    table.write_text("file,source,dice\na,lgg,0.5\n")  # of an older version
    assert load_tumor_scores(*arguments) is None
    table.write_text("file,source,tumor_score,dice\na,lgg,0.7,0.5\n")
    scores = load_tumor_scores(*arguments)
    assert scores is not None and scores.to_dict("records") == [
        {"file": "a", "source": "lgg", "tumor_score": 0.7}
    ]
    assert load_tumor_scores(tmp_path, "unet", "patient-disjoint", "1" * 64) is None


def test_the_ensemble_has_a_record_where_each_was_measured_with_these_weights() -> None:
    files = [f"{number}" for number in range(40)]
    both = [
        evaluation("cnn", [0] * 40, [0.9] * 40, files, weights_sha256="a"),
        evaluation("vgg16", [0] * 30 + [1] * 10, [0.8] * 40, files, weights_sha256="b"),
    ]
    assert ensemble.measured_ensemble(both, {"cnn": "a"}) is None
    assert ensemble.measured_ensemble(both, {"cnn": "a", "vgg16": "other"}) is None
    measured = ensemble.measured_ensemble(both, {"cnn": "a", "vgg16": "b"})
    assert measured is not None and measured.predictions is not None
    sentence = (
        "PPV for glioma at 70-90 %, models concordant, held-out patients: 30 of 30, 100 % (95 % CI 89-100)."
    )
    assert track_record.trust_sentence(measured, "glioma", 0.85) == sentence
    assert track_record.referral_statement(measured.predictions, dict.fromkeys(CLASSES, 0.4)) == (0.75, 1.0)


def test_threshold_counts_for_the_weights_that_it_was_fitted_for(tmp_path: Path) -> None:
    facts = {
        "task": "four-class",
        "classes": CLASSES,
        "input_size": 224,
        "temperature": 1.0,
        "protocol": "folder",
    }
    for name in ("cnn", "vgg16"):
        own = {"name": name, "evidence_layer": "x", "weights_sha256": name}
        write_card(tmp_path / f"{name}.keras", facts | own)
    assert load_ensemble(tmp_path) is None
    thresholds = {"glioma": 0.9, "meningioma": 0.87, "no_tumor": 0.7, "pituitary": 0.8}
    record = {"referral_thresholds": thresholds, "weights_sha256": {"cnn": "cnn", "vgg16": "vgg16"}}
    (tmp_path / ENSEMBLE).write_text(json.dumps(record))
    stored = load_ensemble(tmp_path)
    assert stored is not None and stored.referral_thresholds == thresholds
    record["weights_sha256"] = {"cnn": "cnn", "vgg16": "an older one"}
    (tmp_path / ENSEMBLE).write_text(json.dumps(record))
    assert load_ensemble(tmp_path) is None
    (tmp_path / ENSEMBLE).write_text("{")
    assert load_ensemble(tmp_path) is None
