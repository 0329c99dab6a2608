"""The Compare page: both answers for every loaded scan, agreement counted, both maps side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from tests.pages.steps import again, charts_of, component_of, opened, pictures_of, probabilities_of, viewer_of
from utils.classes import CLASSES
from utils.metrics.classification import figures
from utils.reading.worklist import Entry


def words_of(page: AppTest) -> list[str]:
    """What stands beside the pictures."""
    texts = [element.value for element in (*page.markdown, *page.caption)]
    shown = {element.proto.component_name for element in page.get("bidi_component")}
    panes = viewer_of(page)["panes"] if "scan_viewer" in shown else []
    return texts + [pane[part] for pane in panes for part in ("title", "caption")]


def test_nothing_loaded_offers_the_example(tiny_app: Path) -> None:
    page = opened("compare")
    assert "No scan loaded" in page.info[0].value and not page.image
    page.button[0].click()
    page = again(page)
    assert page.dataframe[0].value["Scan"].tolist() == ["Synthetic example"]
    assert probabilities_of(page) is not None and not charts_of(page)  # a single scan needs no scatter


def test_only_refused_files_count_as_nothing_loaded(tiny_app: Path) -> None:
    page = opened("compare", Entry("k", "text.png", None, reason="This is not an image."))
    assert "No scan loaded" in page.info[0].value


def test_agreement_is_counted_and_both_answers_stand_side_by_side(make_entry, tiny_app: Path) -> None:
    page = opened(
        "compare",
        make_entry("a.png", ("glioma", "glioma"), 0.9),
        make_entry("b.png", ("glioma", "no_tumor"), 0.7),
        make_entry("c.png", ("pituitary", "pituitary"), 0.4, unsure=True),
        Entry("k", "text.png", None, reason="This is not an image."),
    )
    assert "2 of 3" in page.header[0].value
    table = page.dataframe[0].value.set_index("Scan")
    assert table.index.tolist() == ["a.png", "b.png", "c.png"]
    answers = {
        "CNN": (("glioma", "90 %"), ("glioma", "70 %"), ("pituitary tumour", "40 %")),
        "VGG16": (("glioma", "90 %"), ("no tumour", "70 %"), ("pituitary tumour", "40 %")),
    }
    for title, texts in answers.items():
        for (label, probability), cell in zip(texts, table[title], strict=True):
            assert label in cell and probability in cell
    assert table["Status"].tolist() == ["Concordant", "Discordant", "Low confidence"]
    assert probabilities_of(page) is not None and len(charts_of(page)) == 1


def test_both_maps_stand_beside_the_scan(make_entry, tiny_app: Path) -> None:
    page = opened("compare", make_entry("a.png", ("glioma", "meningioma"), 0.83))
    assert len(set(pictures_of(page))) == 3
    for needed in (("CNN", "glioma", "83 %"), ("VGG16", "meningioma", "83 %")):
        assert any(all(word in text for word in needed) for text in words_of(page))


def test_the_class_changes_the_maps_alone(make_entry, tiny_app: Path) -> None:
    page = opened("compare", make_entry("a.png", ("glioma", "glioma")))
    first = pictures_of(page)
    page.button_group[0].set_value("pituitary")
    second = pictures_of(again(page))
    assert first[0] == second[0]
    assert first[1] != second[1] and first[2] != second[2]


def test_next_shows_the_next_scan(make_entry, tiny_app: Path) -> None:
    page = opened(
        "compare",
        make_entry("a.png", ("glioma", "glioma")),
        make_entry("b.png", ("no_tumor", "no_tumor")),
    )
    first = pictures_of(page)
    bar = component_of(page, "worklist")
    assert bar["isBar"] and [row["name"] for row in bar["rows"]] == ["a.png", "b.png"]
    page.session_state["selected"] = bar["rows"][1]["key"]  # the bar does this
    page = again(page)
    assert pictures_of(page)[0] != first[0]
    assert any("CNN" in text and "no tumour" in text for text in words_of(page))


def test_example_with_missing_networks_names_the_file_and_the_command(models_copy: Path) -> None:
    (models_copy / "vgg16.keras").unlink()
    page = opened("compare")
    if not page.error:  # the page may tell it at once, or when a scan is to be read
        page.button[0].click()
        page = again(page)
    assert "vgg16.keras" in page.error[0].value
    assert "python model.py train --model vgg16" in page.error[0].value


def test_scans_stay_readable_where_the_networks_have_gone(make_entry, models_copy: Path) -> None:
    (models_copy / "vgg16.keras").unlink()
    page = opened("compare", make_entry("a.png", ("glioma", "glioma")))
    assert len(pictures_of(page)) == 3


def test_what_the_gate_refuses_is_neither_told_nor_counted(make_entry, tiny_app: Path) -> None:
    page = opened(
        "compare",
        make_entry("cxr.png", ("meningioma", "meningioma"), 0.99, grade="refused"),
        make_entry("a.png", ("glioma", "glioma")),
    )
    assert "1 of 1" in page.header[0].value
    table = page.dataframe[0].value.set_index("Scan")
    assert table.loc["cxr.png", ["CNN", "VGG16", "Status"]].tolist() == [
        "not shown",
        "not shown",
        "Rejected",
    ]
    assert "glioma" in table.loc["a.png", "CNN"]
    assert [pane["evidence"] for pane in viewer_of(page)["panes"]] == [None] and not charts_of(page)
    assert not any("meningioma" in text for text in words_of(page))


def test_the_record_on_test_scans_stands_beside(make_entry, models_copy: Path) -> None:
    folder = models_copy / "evaluation"
    folder.mkdir()
    targets = np.arange(80) % 4
    names = np.array(CLASSES)
    for model, wrong in (("cnn", 4), ("vgg16", 20)):
        labels = np.where(np.arange(80) < wrong, (targets + 1) % 4, targets)
        record = {"model": model, "protocol": "patient-disjoint"}
        record |= figures(targets, labels, np.arange(80), resamples=5)
        (folder / f"{model}--patient-disjoint.json").write_text(json.dumps(record))
        table = pd.DataFrame({"file": np.arange(80), "source": "a", "group": np.arange(80)})
        table = table.assign(target=names[targets], label=names[labels])
        table.to_csv(folder / f"{model}--patient-disjoint.csv", index=False)
    texts = " ".join(words_of(opened("compare", make_entry("a.png", ("glioma", "glioma")))))
    assert "Of 80 held-out test scans, CNN alone was correct on 16 and VGG16 alone on 0" in texts
    assert "CNN is significantly more accurate" in texts and " ms" in texts
