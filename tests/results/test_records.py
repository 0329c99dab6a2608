"""utils.results.records: files found, checked and put into words; broken ones give a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.networks import write_card
from tests.support.records import evaluation_record
from utils.classes import CLASSES
from utils.datasets.protocols import PROTOCOLS
from utils.metrics.classification import CLASS_FIGURES, figures, softmax
from utils.paths import models_folder
from utils.records.evaluation import SubtypeRecord
from utils.results import records


def write_evaluation(folder: Path, model: str = "cnn", protocol: str = "patient-disjoint", **extra) -> Path:
    """A JSON and a CSV as `model.py evaluate` writes them; the path of the JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    targets, groups = rng.integers(0, 4, 60), rng.integers(0, 30, 60)
    logits = rng.normal(size=(60, 4)) + 3 * np.eye(4)[targets]
    probabilities = None if model == "1-nn" else softmax(logits)
    labels = logits.argmax(axis=1)
    record = {"model": model, "protocol": protocol, "temperature": 1.0} | extra
    record |= figures(targets, labels, groups, probabilities, resamples=20)
    path = folder / f"{model}--{protocol}.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    names = np.array(CLASSES)
    table = pd.DataFrame({"file": "a.jpg", "source": "made", "group": groups, "target": names[targets]})
    table["label"] = names[labels]
    if probabilities is not None:
        table[list(CLASSES)] = probabilities
    table.to_csv(path.with_suffix(".csv"), index=False)
    return path


def change(path: Path, **values) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values), encoding="utf-8")


def test_sorted_and_complete(tmp_path):
    for protocol in ("published", "folder", "patient-disjoint"):
        for model in ("1-nn", "vgg16", "another", "cnn"):
            write_evaluation(tmp_path, model, protocol)
    evaluations, problems = records.read_evaluations(tmp_path, PROTOCOLS.values())
    assert problems == []
    assert [evaluation.model for evaluation in evaluations] == ["cnn", "vgg16", "1-nn", "another"] * 3
    assert [evaluation.protocol.name for evaluation in evaluations[::4]] == [
        "patient-disjoint",
        "published",
        "folder",
    ]
    network, baseline = evaluations[0].predictions, evaluations[2].predictions
    assert network is not None and baseline is not None
    assert evaluations[0].record.n == len(network) == 60
    assert set(CLASSES) <= set(network.columns)
    assert "glioma" not in baseline.columns
    of_one = records.load_evaluations(tmp_path, PROTOCOLS["published"])
    assert [(evaluation.model, evaluation.protocol.name) for evaluation in of_one] == [
        (evaluation.model, "published") for evaluation in evaluations[4:8]
    ]


def test_subtypes_are_no_four_class_evaluations(tmp_path):
    subtypes = {key: {"n": 3, **dict.fromkeys(CLASS_FIGURES)} for key in ("a", "b")}
    facts = evaluation_record("mobilenetv2", accuracy=0.8).model_dump(exclude_unset=True)
    facts |= {"classes": subtypes, "confusion": [[3, 1], [0, 2]], "top_3_accuracy": 1.0}
    record = SubtypeRecord.model_validate(facts)
    files = ("mobilenetv2--feltrin44", "mobilenetv2--feltrin44--validation", "mobilenetv2--feltrin44-random")
    for name, changed in zip(files, ({}, {}, {"confusion": [[1]]}), strict=True):
        (tmp_path / f"{name}.json").write_text(json.dumps(facts | changed))
    assert records.load_subtypes(tmp_path, PROTOCOLS.values()) == {
        ("feltrin44", "test"): record, ("feltrin44", "validation"): record,
    }  # fmt: skip
    assert records.read_evaluations(tmp_path, PROTOCOLS.values()) == ([], [])
    assert records.load_subtypes(tmp_path / "nowhere", PROTOCOLS.values()) == {}


def test_figures_of_outlines_are_of_another_kind_and_no_problem(tmp_path):
    write_evaluation(tmp_path)
    (tmp_path / "unet--patient-disjoint.json").write_text('{"model": "unet", "dice": 0.8}')
    (tmp_path / "unet--patient-disjoint.csv").write_text("file,tumor_pixels\n")
    evaluations, problems = records.read_evaluations(tmp_path, PROTOCOLS.values())
    assert [evaluation.model for evaluation in evaluations] == ["cnn"] and problems == []


@pytest.mark.parametrize("folder", ["", "not/there"])
def test_nothing_there_is_no_problem(tmp_path, folder):
    assert records.read_evaluations(tmp_path / folder, PROTOCOLS.values()) == ([], [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[1, 2]", "does not hold a JSON object"),
        ("{}", "`model` is missing"),
        ('{"model": "cnn", "protocol": "published"}', "`n` is missing"),
        ("\udcff", "not valid JSON"),
    ],
)
def test_broken_json_gives_a_sentence(tmp_path, text, sentence):
    write_evaluation(tmp_path, "vgg16")
    path = write_evaluation(tmp_path)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    evaluations, problems = records.read_evaluations(tmp_path, PROTOCOLS.values())
    assert [evaluation.model for evaluation in evaluations] == ["vgg16"]
    assert len(problems) == 1 and path.name in problems[0] and sentence in problems[0]


@pytest.mark.parametrize(
    "values",
    [
        {"accuracy": "high"},
        {"accuracy": float("nan")},
        {"accuracy_interval": [0.1]},
        {"accuracy_interval": ["low", "high"]},
        {"confusion": [[1, 2], [3]]},
        {"confusion": None},
        {"classes": []},
        {"classes": {name: {"n": 1} for name in CLASSES}},
        {"n": None},
    ],
    ids=str,
)
def test_wrong_kinds_give_a_sentence(tmp_path, values):
    path = write_evaluation(tmp_path)
    change(path, **values)
    evaluations, problems = records.read_evaluations(tmp_path, PROTOCOLS.values())
    assert evaluations == [] and len(problems) == 1 and problems[0].startswith(path.name)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not a readable CSV"),
        ("file,target\na,glioma\n", "lacks the columns label"),
        ("file,target,label\na,glioma,stroke\n", "a class that is not known"),
        ("file,target,label,glioma\na,glioma,glioma,1\n", "probabilities"),
        (
            "file,target,label,glioma,meningioma,no_tumor,pituitary\na,glioma,glioma,x,0,0,0\n",
            "probabilities",
        ),
        (None, "is missing"),
    ],
)
def test_broken_predictions_leave_the_figures(tmp_path, text, sentence):
    path = write_evaluation(tmp_path).with_suffix(".csv")
    path.unlink()
    if text is not None:
        path.write_text(text, encoding="utf-8")
    (evaluation,), (problem,) = records.read_evaluations(tmp_path, PROTOCOLS.values())
    assert evaluation.predictions is None and evaluation.record.n == 60
    assert path.name in problem and sentence in problem


def test_predictions_without_figures_are_named(tmp_path):
    write_evaluation(tmp_path).unlink()
    (tmp_path / "studies--validation.csv").write_text(
        "slice,cnn\n"
    )  # of no protocol: it belongs to no record
    assert records.read_evaluations(tmp_path, PROTOCOLS.values()) == (
        [],
        ["cnn--patient-disjoint.json is missing beside cnn--patient-disjoint.csv."],
    )


def test_models_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv("BRAIN_MRI_MODELS")
    assert models_folder() == Path(__file__).parents[2] / "models"


CARD = {
    "name": "cnn",
    "task": "four-class",
    "classes": CLASSES,
    "input_size": 64,
    "weights_sha256": "0",
    "evidence_layer": "evidence",
    "temperature": 1.0,
}


def test_history_comes_from_the_card_of_the_protocol(tmp_path):
    row = {"phase": "a", "epoch": 1, "loss": 1.0, "validation_loss": 0.9, "validation_accuracy": 0.5}
    (tmp_path / "published").mkdir()
    write_card(tmp_path / "cnn.keras", CARD | {"history": [row]})
    write_card(tmp_path / "published" / "cnn.keras", CARD | {"history": [row, {**row, "epoch": 2}]})
    assert len(records.load_history(tmp_path, "cnn")) == 1
    assert len(records.load_history(tmp_path / "published", "cnn")) == 2
    (tmp_path / "leave-one-source-out-lgg").mkdir()
    write_card(tmp_path / "leave-one-source-out-lgg" / "cnn.keras", CARD | {"history": [row] * 3})
    assert len(records.load_history(tmp_path / "leave-one-source-out-lgg", "cnn")) == 3
    assert records.load_history(tmp_path / "published", "vgg16") == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"history": 3}', '{"history": ["x"]}', '{"history": [{"epoch": 1}]}']
)
def test_broken_card_has_no_history(tmp_path, text):
    (tmp_path / "cnn.json").write_text(text)
    assert records.load_history(tmp_path, "cnn") == []
