"""The About page: what the networks are for, their limits and versions; also where files are missing."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.pages.steps import ROOT, opened
from tests.support.brains import draw
from tests.support.networks import change_card
from utils.classes import CLASSES
from utils.datasets.protocols import shipped_protocol
from utils.datasets.sources import SOURCES
from utils.metrics.classification import figures
from utils.networks.cards import load_card


def words_of(page: AppTest) -> str:
    kinds = (page.title, page.header, page.subheader, page.markdown, page.caption, page.error)
    texts = [element.value for kind in kinds for element in kind]
    return " ".join(texts + [str(table.value.to_dict()) for table in page.table])


def test_intended_use_and_limits_are_told(tiny_app: Path) -> None:
    words = words_of(opened("about"))
    for needed in (
        "Research",
        "Not a medical device",
        "Glioma",
        "Nickparvar",
        "calibrated",
        "streamlit",
        "keras",
    ):
        assert needed in words


def test_every_network_with_its_hash(tiny_app: Path) -> None:
    page = opened("about")
    words = words_of(page)
    for name in ("cnn", "vgg16"):
        card = load_card(tiny_app / f"{name}.keras")
        assert card.title in words and card.version in words and card.evidence_layer in words
    assert "not measured yet" in words and not page.error


def test_honest_accuracy_comes_from_the_evaluation(models_copy: Path) -> None:
    (models_copy / "evaluation").mkdir()
    targets = np.arange(80) % 4
    for protocol, wrong in (("patient-disjoint", 20), ("published", 0)):
        labels = np.where(np.arange(80) < wrong, (targets + 1) % 4, targets)
        record = {
            "model": "cnn",
            "protocol": protocol,
            **figures(targets, labels, np.arange(80), np.eye(4)[labels]),
        }
        (models_copy / "evaluation" / f"cnn--{protocol}.json").write_text(json.dumps(record))
    words = words_of(opened("about"))
    assert "75.0 %" in words and "80 scans" in words and "100.0 %" not in words
    assert words.count("not measured yet") == 1  # VGG16


def test_the_gate_s_figures_are_told_of_the_weights_that_were_measured_alone(models_copy: Path) -> None:
    assert "the detection rate was not measured for these models" in words_of(opened("about"))
    versions = {name: load_card(models_copy / f"{name}.keras").version for name in ("cnn", "vgg16")}
    shares = {"unusual": 0.0, "refused": 0.0, "marked_by": {}, "inverted": 0.0, "turned": 0.0}
    record = {
        "date": "",
        "commit": "",
        "command": "",
        "thresholds": {},
        "not brain MRI, all": shares | {"n": 1200, "marked": 0.97},
        "groups": {"not_brain_mri/HeadCT": shares | {"n": 98, "marked": 0.6}},
        "at 1 % of fold 0": {"score": 1.0, "marked": 1.0, "groups": {}},
    }
    file = models_copy / "evaluation" / "gate.json"
    file.parent.mkdir()
    file.write_text(json.dumps(record | {"weights_sha256": versions}))
    assert "97 % of 1,200 such images were, but only 60 % of head CT" in words_of(opened("about"))
    file.write_text(json.dumps(record | {"weights_sha256": versions | {"cnn": "others"}}))
    assert "not measured for these models" in words_of(opened("about"))


@pytest.mark.parametrize("missing", ["cnn.keras", "vgg16.json"])
def test_missing_file_is_named_and_the_other_network_shown(models_copy: Path, missing: str) -> None:
    (models_copy / missing).unlink()
    page = opened("about")
    assert len(page.error) == 1
    remedy = "python model.py train"
    assert missing in page.error[0].value and remedy in page.error[0].value
    assert words_of(page).count("Weights (SHA-256)") == 1


def test_altered_weights_are_named(models_copy: Path) -> None:
    with (models_copy / "cnn.keras").open("ab") as stream:
        stream.write(b"x")
    page = opened("about")
    assert "cnn.keras" in page.error[0].value and "SHA-256" in page.error[0].value


def test_no_network_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(tmp_path / "nowhere"))
    page = opened("about")
    assert len(page.error) == 2 and "SHA-256" not in words_of(page)


def test_training_data_are_shown(models_copy: Path) -> None:
    counts = {"part": "train", "source": "nickparvar", "target": "no_tumor", "images": 12, "pictures": 9}
    other = {"part": "train", "source": "lgg", "target": "glioma", "images": 1234, "pictures": 9}
    unused = {"part": "validation", "source": "oasis2", "target": "no_tumor", "images": 5, "pictures": 5}
    change_card(models_copy / "cnn.keras", training_data=[counts, other, unused])
    words = words_of(opened("about"))
    assert "| LGG | lower-grade glioma | 110 | FLAIR | glioma 1,234 |" in words
    assert "no tumour 12" in words and "OASIS-2" not in words
    assert words.index("| LGG |") < words.index("| Nickparvar |")  # the largest first


@pytest.mark.data
def test_people_of_a_collection_are_those_of_its_manifest(data_root: Path) -> None:
    for source in SOURCES.values():
        folders = [data_root / source.name, data_root / "more" / source.name]
        manifest = next(folder for folder in folders if folder.is_dir()) / "manifest.csv"
        with manifest.open(newline="", encoding="utf-8") as stream:
            people = {row["patient"] for row in csv.DictReader(stream) if row.get("patient")}
        numbers = re.findall(r"\d+", source.people)
        assert numbers == ([str(len(people))] if people else []), source.name


def test_known_failures_are_shown_where_the_data_are(models_copy: Path, tmp_path: Path, monkeypatch) -> None:
    """A confident error of held-out patients as an image; without the data folder nothing but the words."""
    folder = models_copy / "evaluation"
    folder.mkdir()
    protocol = shipped_protocol().name
    targets, labels = np.asarray([0, 1, 2, 3] * 5), np.asarray([1, 1, 2, 3] * 5)
    measured = figures(targets, labels, np.arange(20), np.eye(4)[labels])
    file = folder / f"cnn--{protocol}.json"
    file.write_text(json.dumps({"model": "cnn", "protocol": protocol, **measured}))
    names = np.asarray(CLASSES)
    table = pd.DataFrame(np.eye(4)[labels], columns=names)
    table = table.assign(
        source="nickparvar", file=[f"{n}.png" for n in range(20)], target=names[targets], label=names[labels]
    )
    table.to_csv(file.with_suffix(".csv"), index=False)
    monkeypatch.setenv("BRAIN_MRI_DATA", str(tmp_path / "data"))
    assert not opened("about").image
    (tmp_path / "data" / "nickparvar").mkdir(parents=True)
    Image.fromarray((draw(64, 64) * 255).astype(np.uint8)).save(tmp_path / "data" / "nickparvar" / "0.png")
    page = opened("about")
    assert len(page.image) == 1 and "Most confident errors of CNN" in words_of(page)


def test_page_starts_without_tensorflow(tiny_app: Path) -> None:
    program = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        f"page = AppTest.from_file({str(ROOT / 'pages' / 'about.py')!r}, default_timeout=60).run(); "
        "assert not page.exception and page.markdown; "
        "print(sorted({'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_network_that_draws_outlines_is_told_too() -> None:
    """Of the shipped networks; what it is worth stands there where these very weights were measured."""
    words = words_of(opened("about"))
    card = load_card(ROOT / "models" / "unet.keras")
    assert "U-Net" in words and card.version in words and "Outlines" in words
