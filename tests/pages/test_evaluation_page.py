"""The evaluation page in each of its states: evaluated, nothing evaluated, broken files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.steps import ROOT, charts_of, opened
from tests.support.records import evaluation_record
from utils.classes import CLASSES
from utils.metrics.classification import CLASS_FIGURES, figures, softmax
from utils.records.base import write_record

SPLIT, NETWORK, FINER_SPLIT, PART_OF_FINER = 0, 1, 2, 3


def write_evaluation(models: Path, model: str, protocol: str, skill: float) -> None:
    folder = models / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    targets, groups = rng.integers(0, 4, 80), rng.integers(0, 40, 80)
    logits = rng.normal(size=(80, 4)) + skill * np.eye(4)[targets]
    probabilities = None if model == "1-nn" else softmax(logits)
    labels = logits.argmax(axis=1)
    record = {
        "model": model,
        "protocol": protocol,
        **figures(targets, labels, groups, probabilities, resamples=20),
    }
    (folder / f"{model}--{protocol}.json").write_text(json.dumps(record))
    names = np.array(CLASSES)
    table = pd.DataFrame(
        {"file": "a.jpg", "source": "made", "target": names[targets], "label": names[labels]}
    )
    if probabilities is not None:
        table[list(CLASSES)] = probabilities
    table.to_csv(folder / f"{model}--{protocol}.csv", index=False)


@pytest.fixture
def models(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture
def evaluated(models) -> Path:
    for protocol, skill in (("patient-disjoint", 2.0), ("published", 4.0)):
        for model in ("cnn", "vgg16", "1-nn"):
            write_evaluation(models, model, protocol, skill)
    row = {"phase": "a", "epoch": 1, "loss": 1.0, "validation_loss": 0.9, "validation_accuracy": 0.5}
    card = {"name": "cnn", "task": "four-class", "classes": CLASSES, "input_size": 64, "weights_sha256": "0"}
    card |= {"evidence_layer": "evidence", "temperature": 1.0, "history": [row, {**row, "epoch": 2}]}
    (models / "cnn.json").write_text(json.dumps(card))
    return models


def compare(page: AppTest) -> AppTest:
    """With the splits for comparison with the literature."""
    page.toggle[0].set_value(True).run()
    assert not page.exception
    return page


def choose(page: AppTest, control: int, value: str) -> None:
    page.button_group[control].set_value(value).run()
    assert not page.exception


def titles_of(page: AppTest) -> list[str]:
    """The title of every chart on the page."""
    return [spec["layout"]["title"]["text"].replace("<br>", " ") for spec in charts_of(page)]


def words_of(page: AppTest) -> str:
    return " ".join(
        element.value for kind in (page.markdown, page.caption, page.info, page.warning) for element in kind
    )


def test_places_are_told_where_they_were_measured(evaluated, evidence_record, outline_record) -> None:
    assert "Not measured on this split" in words_of(opened("evaluation"))
    folder = evaluated / "evaluation"
    write_record(folder / "cnn--patient-disjoint--explanations.json", evidence_record(0.9))
    write_record(folder / "unet--patient-disjoint.json", outline_record)
    page = opened("evaluation")
    titles = titles_of(page)
    assert any("of CNN: peak activation inside the tumour" in title for title in titles)
    assert any("Mean Dice of outlines 0.80" in title for title in titles)
    assert any("Energy inside" in table.value.columns for table in page.dataframe)
    assert "U-Net" not in str(page.button_group[NETWORK].options), "it names no class"


def test_finer_types_are_told_where_they_were_measured(evaluated) -> None:
    subtypes = {key: {"n": 3, **dict.fromkeys(CLASS_FIGURES)} for key in ("Astrocitoma T1", "_NORMAL T2")}
    record = evaluation_record("mobilenetv2", accuracy=0.5).model_dump(exclude_unset=True)
    record |= {"classes": subtypes, "top_3_accuracy": 0.9}
    for name, right in (("feltrin44", 1), ("feltrin44--validation", 3), ("feltrin44-random", 5)):
        stored = record | {"confusion": [[right, 1], [1, right]]}
        (evaluated / "evaluation" / f"mobilenetv2--{name}.json").write_text(json.dumps(stored))
    page = opened("evaluation")
    assert any("50 % of 4 scans" in title for title in titles_of(page))
    assert "Top-3 accuracy: 90 %" in words_of(page)
    choose(page, PART_OF_FINER, "validation")
    assert any("75 % of 8 scans" in title for title in titles_of(page))
    choose(page, FINER_SPLIT, "feltrin44-random")
    assert any("83 % of 12 scans" in title for title in titles_of(page))
    assert "promise nothing for a new patient" in words_of(page)


def test_everything_evaluated(evaluated):
    page = opened("evaluation")
    table = page.dataframe[-1].value
    assert table["Network"].tolist() == ["CNN", "VGG16", "1-nearest neighbour"]
    titles = titles_of(page)
    assert len(titles) == 8
    assert any(title.startswith("Weights kept from epoch 1 of 2") for title in titles)
    assert titles[0].startswith("Highest accuracy: CNN")
    unmeasured = [info.value for info in page.info]  # other sources, and where the maps point
    assert len(unmeasured) == 2 and all("Not measured" in words for words in unmeasured) and not page.warning


def test_the_leak_is_told_with_the_measured_baseline(evaluated):
    accuracy = json.loads((evaluated / "evaluation" / "1-nn--published.json").read_text())["accuracy"]
    assert "split of Nickparvar leaks" not in words_of(opened("evaluation"))
    words = words_of(compare(opened("evaluation")))
    assert "**Patient-level split**: No patient and no copy of an image" in words
    assert "split of Nickparvar leaks" in words and f"1-nearest neighbour: {100 * accuracy:.0f} %" in words


def test_choosing_split_and_network_changes_the_charts(evaluated):
    page = opened("evaluation")
    first = titles_of(page)
    choose(page, NETWORK, "VGG16")
    assert "No training history in the card of VGG16." in words_of(page)
    choose(compare(page), SPLIT, "published")
    assert titles_of(page) != first


def test_figure_per_class_can_be_chosen(evaluated):
    page = opened("evaluation")
    page.selectbox[0].set_value("precision").run()
    assert any(title.startswith("Lowest precision") for title in titles_of(page))


def test_baseline_has_no_probability_charts(evaluated):
    page = opened("evaluation")
    choose(page, NETWORK, "1-nearest neighbour")
    assert len(titles_of(page)) == 3
    assert "1-nearest neighbour has no probabilities" in words_of(page)


def test_nothing_evaluated_yet(models):
    page = opened("evaluation")
    assert "No model has been evaluated yet" in page.info[0].value
    assert page.code[0].value == "python model.py evaluate --model cnn --protocol patient-disjoint --data DIR"
    assert "**Published split**" in words_of(page) and "leaks" in words_of(page)
    assert not titles_of(page) and not page.dataframe


def test_broken_files_are_named_and_the_rest_is_shown(evaluated):
    folder = evaluated / "evaluation"
    (folder / "cnn--patient-disjoint.json").write_text("{")
    (folder / "vgg16--patient-disjoint.csv").unlink()
    page = opened("evaluation")
    assert len(page.warning) == 2
    assert "cnn--patient-disjoint.json cannot be used" in words_of(page)
    assert "vgg16--patient-disjoint.csv is missing" in words_of(page)
    assert len(page.dataframe[-1].value) == 2
    assert len(titles_of(page)) == 3  # VGG16 without its single scans


def test_only_broken_files(models):
    (models / "evaluation").mkdir()
    (models / "evaluation" / "cnn--published.json").write_text("[]")
    page = opened("evaluation")
    assert len(page.warning) == 1 and "No model has been evaluated yet" in page.info[0].value


def test_page_starts_without_tensorflow(evaluated):
    program = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"page = AppTest.from_file({str(ROOT / 'pages' / 'evaluation.py')!r}, default_timeout=60).run(); "
        "assert not page.exception; "
        "print(sorted({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_mistakes_are_shown_as_pictures_where_the_data_is_there(evaluated, tmp_path, monkeypatch, png_bytes):
    monkeypatch.setenv("BRAIN_MRI_DATA", str(tmp_path / "nowhere"))
    page = opened("evaluation")
    assert not page.image and any("Images are shown where" in caption.value for caption in page.caption)
    named = page.dataframe[0].value
    assert {"reference", "predicted", "confidence"} <= set(named.columns)

    picture = tmp_path / "sets" / "made" / "a.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(png_bytes(0))
    monkeypatch.setenv("BRAIN_MRI_DATA", str(tmp_path / "sets"))
    assert len(opened("evaluation").image) == min(14, len(named))
    answers = evaluated / "evaluation" / "cnn--patient-disjoint.csv"
    pd.read_csv(answers).assign(group=5).to_csv(answers, index=False)
    assert len(opened("evaluation").image) == 1  # they are all of one patient


def test_first_screen_answers_without_a_click(evaluated) -> None:
    """How good on new patients, how good on a collection never seen, and when it must not be used."""
    tumor = {"tumors": 50, "healthy": 30, "threshold": 0.5, "auc": 0.9, "sensitivity_at_95_specificity": None}
    for protocol, share in (("patient-disjoint", 0.93), ("unseen-brats", 0.31)):
        file = evaluated / "evaluation" / f"cnn--{protocol}.json"
        if not file.exists():
            write_evaluation(evaluated, "cnn", protocol, 1.0)
        detection = tumor | {"sensitivity": share, "sensitivity_interval": [share - 0.1, share + 0.05]}
        detection |= {"specificity": 1.0, "specificity_interval": [1.0, 1.0]}
        file.write_text(json.dumps(json.loads(file.read_text()) | {"tumor": detection}))
    page = opened("evaluation")
    assert page.subheader[0].value == "Accuracy on new patients"
    table, forbidden = page.markdown[0].value, page.markdown[1].value
    known = next(line for line in table.splitlines() if "New patients" in line and "CNN" in line)
    unseen = next(line for line in table.splitlines() if "Never seen" in line)
    assert "93.0 % (83.0-98.0)" in known and "100.0 % (88.4-100.0)" in known  # 30 of 30: exact
    assert "31.0 % (21.0-36.0)" in unseen
    assert "sensitivity fell to 31 %" in forbidden and "not a medical device" in forbidden
