"""The Read page in each of its states: empty, one scan, many, refused files, networks that fail to load."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.steps import ROOT, component_of, pictures_of, plain, probabilities_of, viewer_of, worklist_of
from tests.support.networks import change_card
from utils.cases.reviews import Review
from utils.cases.store import CaseStore, answers_of
from utils.classes import CLASSES
from utils.metrics.classification import figures
from utils.networks.cards import load_card
from utils.networks.shipped import ENSEMBLE
from utils.reading.worklist import NOT_ANALYSED, Entry

PAGE = str(ROOT / "pages" / "read.py")
SCAN, CNN, VGG16 = -3, -2, -1  # the pictures of a scan stand side by side


def run(page: AppTest | None = None) -> AppTest:
    """One look at the page, after everything that was being read has been read."""
    page = (AppTest.from_file(PAGE, default_timeout=60) if page is None else page).run()
    if "background" in page.session_state and page.session_state["background"].progress() is not None:
        assert page.session_state["background"].wait(seconds=60)
        page.run()
    assert not page.exception
    return page


def with_entries(*entries: Entry) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.session_state["worklist"] = {entry.key: entry for entry in entries}
    return run(page)


def upload(page: AppTest, files: dict[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, data, "image/png") for name, data in files.items()])
    return run(page)


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label.startswith(label)).click()
    return run(page)


def words_of(page: AppTest) -> str:
    kinds = (
        page.title,
        page.header,
        page.subheader,
        page.markdown,
        page.caption,
        page.info,
        page.warning,
        page.error,
    )
    texts = [element.value for kind in kinds for element in kind]
    if "scan_viewer" in [element.proto.component_name for element in page.get("bidi_component")]:
        texts += [pane[part] for pane in viewer_of(page)["panes"] for part in ("title", "caption")]
    return plain(" ".join(texts))


def shows_scan_alone(page: AppTest) -> bool:
    components = [element.proto.component_name for element in page.get("bidi_component")]
    names = [name for name in components if name != "views_beside"]
    panes = viewer_of(page)["panes"]
    is_alone = len(panes) == 1 and not panes[0]["evidence"]
    return (
        is_alone
        and probabilities_of(page) is None
        and names == ["worklist_thumbnails", "worklist", "scan_viewer"]
    )


def shown_scan(page: AppTest) -> str:
    return str(component_of(page, "worklist")["selected"])


def test_nothing_uploaded(tiny_app: Path) -> None:
    page = run()
    assert len(page.file_uploader) == 1 and page.file_uploader[0].accept_multiple_files
    assert not page.image and not page.get("bidi_component") and not page.error
    assert "never written to disk" in words_of(page)


def test_synthetic_example_is_read_and_marked(tiny_app: Path) -> None:
    page = click(run(), "Try the synthetic example")
    assert len(pictures_of(page)) == 3
    assert "drawn by code" in words_of(page) and "no patient" in words_of(page)
    assert worklist_of(page)["Scan"].tolist() == ["Synthetic example"]


def test_one_uploaded_scan(tiny_app: Path, png_bytes: Callable[[int], bytes]) -> None:
    page = upload(run(), {"one.png": png_bytes(1)})
    words = words_of(page)
    assert "CNN" in words and "VGG16" in words and "%" in words
    scan, cnn, vgg16 = pictures_of(page)
    assert len({scan, cnn, vgg16}) == 3
    table = probabilities_of(page)
    assert table is not None and table.columns.tolist() == ["CNN", "VGG16"]
    assert worklist_of(page)["Scan"].tolist() == ["one.png"]
    assert not page.error and "drawn by code" not in words


def test_sequence_and_plane_are_shown_with_their_origin(make_entry, tiny_app: Path) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    assert "Sequence and plane not recognised" in words_of(with_entries(entry))
    entry = replace(entry, scan=replace(entry.scan, sequence="T1C+"))
    assert "T1 with contrast (from the file), plane not recognised" in words_of(with_entries(entry))


def test_probabilities_of_the_networks_are_told(make_entry, tiny_app: Path) -> None:
    words = words_of(with_entries(make_entry("a.png", ("glioma", "glioma"), 0.87)))
    assert words.count("87 %") >= 2


def test_the_uploader_is_empty_after_each_batch_and_the_worklist_grows(tiny_app: Path, png_bytes) -> None:
    page = upload(run(), {"one.png": png_bytes(1)})
    assert not page.file_uploader[0].value
    page = upload(page, {"two.png": png_bytes(2), "three.png": png_bytes(3)})
    assert set(worklist_of(page)["Scan"]) == {"one.png", "two.png", "three.png"}
    page = upload(page, {"two.png": png_bytes(2)})  # it is there already
    assert len(worklist_of(page)) == 3


def test_first_of_the_new_scans_is_shown(tiny_app: Path, png_bytes) -> None:
    page = upload(run(), {"one.png": png_bytes(1)})
    page = upload(page, {"broken.png": b"nothing", "two.png": png_bytes(2), "three.png": png_bytes(3)})
    assert page.session_state["worklist"][shown_scan(page)].name == "two.png"


def test_many_scans_are_read_in_order_of_arrival(tiny_app: Path, png_bytes) -> None:
    names = [f"{number:02}.png" for number in range(11)]  # more than are read at once
    page = upload(run(), {name: png_bytes(seed) for seed, name in enumerate(names)})
    assert sorted(worklist_of(page)["Scan"]) == names
    page.toggle(key="by-need").set_value(False)
    page = run(page)
    assert worklist_of(page)["Scan"].tolist() == names
    assert "11 files" in words_of(page)


def select(page: AppTest, key: str) -> AppTest:
    page.session_state["selected"] = key  # a click in the worklist does this
    return run(page)


def test_selected_scan_is_marked_and_shown(tiny_app: Path, png_bytes) -> None:
    page = upload(run(), {f"{seed}.png": png_bytes(seed) for seed in range(3)})
    keys, seen = list(page.session_state["worklist"]), []
    for key in keys:
        page = select(page, key)
        assert shown_scan(page) == key
        seen.append(pictures_of(page)[SCAN])
    assert len(set(seen)) == 3


def test_refused_files_are_named_with_their_reason_and_the_others_are_read(tiny_app: Path, png_bytes) -> None:
    good = png_bytes(1)
    files = {
        "text.png": b"This is no picture",
        "good.png": good,
        "cut.png": good[: len(good) // 2],
        "nil.png": b"",
    }
    page = upload(run(), files)
    words = words_of(page)
    for name, reason in (("text.png", "not an image"), ("cut.png", "cut short"), ("nil.png", "empty")):
        assert name in words and reason in words
    table = worklist_of(page).set_index("Scan")
    assert (table["Status"] == NOT_ANALYSED).sum() == 3
    assert table.loc["good.png", "Status"] != NOT_ANALYSED and table.loc["good.png", "Answer"]
    assert len(pictures_of(page)) == 3


def test_only_refused_files(tiny_app: Path) -> None:
    page = upload(run(), {"text.png": b"This is no picture"})
    assert "text.png" in words_of(page) and "not an image" in words_of(page)
    assert not page.image and page.file_uploader and not page.subheader


def test_a_scan_that_breaks_the_networks_costs_the_others_nothing(
    tiny_app: Path, png_bytes, monkeypatch
) -> None:
    from utils.reading import worklist

    read = worklist.read_entries

    def fails_on_one(entries, *networks):
        if any(entry.name == "bad.png" for entry in entries):
            raise RuntimeError("out of memory")
        return read(entries, *networks)

    monkeypatch.setattr(worklist, "read_entries", fails_on_one)
    page = upload(run(), {"a.png": png_bytes(1), "bad.png": png_bytes(2), "c.png": png_bytes(3)})
    statuses = worklist_of(page).set_index("Scan")["Status"]
    assert statuses["bad.png"] == NOT_ANALYSED and NOT_ANALYSED not in statuses[["a.png", "c.png"]].tolist()
    assert "bad.png" in words_of(page) and "out of memory" not in words_of(page)


def test_networks_that_agree(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("pituitary", "pituitary")))
    assert "pituitary tumour" in words_of(page).lower() and "both models agree" in words_of(page)
    assert not page.warning


def test_networks_that_disagree(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "no_tumor")))
    warning = plain(page.warning[0].value)
    assert page.subheader[0].value == "Indeterminate - review manually: the models disagree"
    assert "Discordant" in warning
    for words in ("CNN", "VGG16", "glioma", "no tumour"):
        assert words in warning
    assert worklist_of(page)["Status"].tolist() == ["Discordant"]


def test_networks_that_are_unsure(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "glioma"), 0.4, unsure=True))
    assert page.subheader[0].value == "Indeterminate - review manually: favours glioma"
    assert worklist_of(page)["Status"].tolist() == ["Low confidence"]


def test_disagreement_that_is_unsure_too_says_both(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "meningioma"), 0.4, unsure=True))
    assert "Discordant" in plain(page.warning[0].value) and "Low confidence" in plain(page.warning[0].value)


def test_unsure_comes_from_the_card(models_copy: Path, png_bytes) -> None:
    for name in ("cnn", "vgg16"):
        change_card(models_copy / f"{name}.keras", referral_threshold=1.0)
    page = upload(run(), {"a.png": png_bytes(1)})
    assert page.session_state["worklist"] and all(
        reading.flags == ("unsure",)
        for entry in page.session_state["worklist"].values()
        for reading in entry.readings
    )


def test_networks_that_agree_are_asked_for_what_was_fitted_for_both(make_entry, models_copy: Path) -> None:
    versions = {name: load_card(models_copy / f"{name}.keras").version for name in ("cnn", "vgg16")}
    validation = {"n": 1611, "agreed": 0.87, "answered": 0.46, "accuracy": 0.9812}
    record = {
        "referral_thresholds": dict.fromkeys(CLASSES, 0.95),
        "weights_sha256": versions,
        "validation": validation,
    }
    (models_copy / ENSEMBLE).write_text(json.dumps(record))
    page = with_entries(make_entry("a.png", ("glioma", "glioma"), 0.9))
    assert "Indeterminate" in page.subheader[0].value
    assert "probability 90 %, below the referral threshold of 95.0 %" in plain(page.warning[0].value)
    assert "(98 % accuracy on validation when models agree)" in plain(page.warning[0].value)
    assert "Mean predicted probability 90 %. Not yet measured on held-out patients." in words_of(page)
    page = with_entries(make_entry("b.png", ("glioma", "glioma"), 0.96, unsure=True))
    assert not page.warning and "both models agree" in page.subheader[0].value


def test_a_tumour_of_an_unclear_type_is_told(make_entry, models_copy: Path) -> None:
    for name in ("cnn", "vgg16"):
        change_card(models_copy / f"{name}.keras", tumor_threshold=0.8)
    words = "Tumour likely; type indeterminate (probability of any tumour: CNN 97 %, VGG16 97 %; thresholds at 95 %"
    page = with_entries(make_entry("a.png", ("glioma", "meningioma"), 0.9))
    assert "Indeterminate" in page.subheader[0].value and words in plain(page.warning[0].value)
    page = with_entries(make_entry("b.png", ("glioma", "no_tumor"), 0.9))
    assert "Tumour likely" not in plain(page.warning[0].value)


def test_class_choice_changes_the_maps_and_not_the_scan(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "glioma")))
    assert page.button_group[0].value == "glioma"
    before = pictures_of(page)
    page.button_group[0].set_value("pituitary")
    after = pictures_of(run(page))
    assert after[SCAN] == before[SCAN]
    assert after[CNN] != before[CNN] and after[VGG16] != before[VGG16]


def test_without_a_predicted_tumour_the_most_probable_tumour_class_is_mapped(make_entry, tiny_app) -> None:
    page = with_entries(make_entry("a.png", ("no_tumor", "no_tumor")))
    assert page.button_group[0].value != "no_tumor"
    assert "No tumour predicted" in words_of(page)


def test_a_custom_threshold_makes_a_prediction_indeterminate(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "glioma"), 0.9))
    assert not page.warning
    next(toggle for toggle in page.toggle if toggle.label == "Custom threshold").set_value(True)
    page = run(page)
    next(slider for slider in page.slider if slider.label == "Indeterminate below").set_value(95.0)
    page = run(page)
    assert "Indeterminate" in page.subheader[0].value
    assert "custom threshold of 95.0 %" in plain(page.warning[0].value)
    assert worklist_of(page)["Status"].tolist() == ["Low confidence"]
    next(toggle for toggle in page.toggle if toggle.label == "Custom threshold").set_value(False)
    assert not run(page).warning


def test_the_worklist_is_ordered_by_priority_and_filtered_by_status(make_entry, tiny_app: Path) -> None:
    page = with_entries(
        make_entry("agreed.png", ("glioma", "glioma"), 0.9),
        make_entry("less sure.png", ("glioma", "glioma"), 0.7),
        make_entry("apart.png", ("glioma", "no_tumor")),
        make_entry("odd.png", ("glioma", "glioma"), grade="unusual"),
    )
    ordered = ["apart.png", "odd.png", "less sure.png", "agreed.png"]
    assert worklist_of(page)["Scan"].tolist() == ordered
    only = next(group for group in page.button_group if group.key == "only")
    only.set_value(["disagree", "unusual"])
    page = run(page)
    assert worklist_of(page)["Scan"].tolist() == ["apart.png", "odd.png"]


def test_scans_are_studied_while_others_are_read(tiny_app: Path, png_bytes, monkeypatch) -> None:
    from utils.reading import worklist

    read, gate = worklist.read_entries, threading.Event()

    def waits_after_the_first(entries, *networks):
        if entries[0].name != "0.png":
            assert gate.wait(60)
        return read(entries, *networks)

    monkeypatch.setattr(worklist, "READ_AT_ONCE", 1)
    monkeypatch.setattr(worklist, "read_entries", waits_after_the_first)
    page = AppTest.from_file(PAGE, default_timeout=60).run()
    files = [(f"{seed}.png", png_bytes(seed), "image/png") for seed in range(4)]
    page.file_uploader[0].set_value(files)
    page.run()
    assert worklist_of(page)["Status"].tolist().count("Waiting") == 3
    assert len(pictures_of(page)) == 3  # the first one is there to be studied
    gate.set()
    assert page.session_state["background"].wait(seconds=60)
    assert "Waiting" not in worklist_of(run(page))["Status"].tolist()


def test_a_review_is_kept_and_shown_in_the_worklist(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "glioma")), make_entry("b.png", ("glioma", "glioma")))
    page = click(page, "Agree")
    assert worklist_of(page)["Review"].tolist() == ["Agree", ""]
    assert "Scan 1" in words_of(page) and "in this session only" in words_of(page)
    page.text_input[0].set_value("rim enhancement")
    page = click(run(page), "Disagree")
    assert worklist_of(page)["Review"].tolist() == ["Disagree", ""]
    assert {"Metastasis", "Artefact"} <= {button.label for button in page.button}
    assert "Glioma" not in {button.label for button in page.button}
    (review,) = page.session_state["reviews"].values()
    assert (review.verdict, review.right_class, review.note) == ("disagree", None, "rim enhancement")
    page = click(page, "Meningioma")
    page.text_input[1].set_value("AB")
    page = run(page)
    (review,) = page.session_state["reviews"].values()
    assert (review.verdict, review.right_class, review.note) == ("disagree", "meningioma", "rim enhancement")
    (review,) = click(page, "Disagree").session_state["reviews"].values()  # pressed again
    assert (review.right_class, review.reviewer) == ("meningioma", "AB")
    page = click(select(page, list(page.session_state["worklist"])[1]), "Agree")
    assert list(page.session_state["reviews"].values())[1].reviewer == "AB"


def test_a_stored_review_is_shown_before_it_can_be_replaced(make_entry, tiny_app, tmp_path) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    store = CaseStore.open(tmp_path / "cases.sqlite3", create=True)
    old = Review("disagree", "metastasis", "known melanoma", "2026-01-02T03:04:05Z", "CD")
    store.save(entry.sha256, "Scan 7", old, answers_of(entry.readings))
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.session_state["worklist"], page.session_state["case-store"] = {entry.key: entry}, store
    page = run(page)
    assert page.session_state["reviews"] == {entry.key: old}
    assert worklist_of(page)["Review"].tolist() == ["Disagree"]
    assert "Reviewed as Scan 7 on 2026-01-02" in words_of(page)
    assert [field.value for field in page.text_input] == ["known melanoma", "CD"]
    page = click(page, "Unsure")
    (case,) = store.cases()
    assert (case.review.verdict, case.review.note, case.earlier) == ("unsure", "known melanoma", (old,))


def test_networks_that_disagree_cannot_be_agreed_with(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "no_tumor")))
    assert {"Disagree", "Unsure"} <= {button.label for button in page.button}
    assert "Agree" not in {button.label for button in page.button}


def test_clearing_the_worklist_starts_anew(tiny_app: Path, png_bytes) -> None:
    page = upload(run(), {"a.png": png_bytes(1), "b.png": png_bytes(2)})
    page = click(page, "Clear worklist")
    assert not page.image and not page.get("bidi_component") and page.file_uploader
    page = click(page, "Undo")
    assert set(worklist_of(page)["Scan"]) == {"a.png", "b.png"} and len(pictures_of(page)) == 3
    page = click(page, "Clear worklist")
    page = upload(page, {"c.png": png_bytes(3)})
    assert worklist_of(page)["Scan"].tolist() == ["c.png"]
    page = click(page, "Clear worklist")
    page = click(page, "Forget")
    assert "Undo" not in {button.label for button in page.button}


@pytest.mark.parametrize("missing", ["cnn.keras", "vgg16.keras", "vgg16.json"])
def test_missing_file_is_named_with_the_command_that_makes_it(models_copy: Path, missing: str) -> None:
    (models_copy / missing).unlink()
    page = run()
    assert len(page.error) == 1 and not page.file_uploader
    error = page.error[0].value
    name = missing.split(".")[0]
    remedy = f"python model.py train --model {name}"
    assert missing in error and remedy in error
    assert "Traceback" not in words_of(page)


def test_all_that_is_missing_is_named_at_once(models_copy: Path) -> None:
    (models_copy / "cnn.json").unlink()
    (models_copy / "vgg16.keras").unlink()
    error = run().error[0].value
    assert "cnn.json" in error and "vgg16.keras" in error


def test_altered_weights_are_named_and_nothing_is_read_with_them(models_copy: Path) -> None:
    with (models_copy / "cnn.keras").open("ab") as stream:
        stream.write(b"x")
    page = run()
    assert "cnn.keras" in page.error[0].value and "SHA-256" in page.error[0].value
    assert "python model.py train --model cnn" in page.error[0].value
    assert not page.file_uploader


def test_mended_file_is_seen_without_a_restart(models_copy: Path, tiny_models: Path, png_bytes) -> None:
    (models_copy / "vgg16.keras").unlink()
    page = run()
    assert page.error
    shutil.copy(tiny_models / "vgg16.keras", models_copy)
    page = upload(run(page), {"a.png": png_bytes(1)})
    assert not page.error and len(pictures_of(page)) == 3


def test_broken_installation_is_told_in_a_sentence(models_copy: Path, monkeypatch) -> None:
    from utils.reading.reader import Reader

    def broken(weights):
        raise ImportError("libtensorflow.so.2: no such file")

    monkeypatch.setattr(Reader, "load", broken)
    page = click(run(), "Try the synthetic example")
    assert "Loading failed" in page.error[0].value and "libtensorflow" in page.error[0].value


def test_rejected_row_cannot_be_selected(tiny_app: Path, make_entry) -> None:
    entries = [make_entry(f"{number}.png", ("glioma", "glioma")) for number in range(2)]
    page = select(with_entries(*entries, Entry("k", "text.png", None, reason="This is not an image.")), "k")
    assert shown_scan(page) == entries[0].key
    assert worklist_of(page).set_index("Scan")["isRead"].tolist() == [True, True, False]


def test_track_record_comes_from_the_patients_the_network_never_saw(models_copy: Path, make_entry) -> None:
    (models_copy / "evaluation").mkdir()
    targets = np.arange(80) % 4
    probabilities = np.full((80, 4), 0.05)
    probabilities[np.arange(80), targets] = 0.85
    names = np.array(CLASSES)
    record = {
        "model": "cnn",
        "protocol": "patient-disjoint",
        **figures(targets, targets, np.arange(80), probabilities),
    }
    (models_copy / "evaluation" / "cnn--patient-disjoint.json").write_text(json.dumps(record))
    table = pd.DataFrame(probabilities, columns=list(CLASSES)).assign(file="a.png", label=names[targets])
    table["target"] = np.where(
        np.arange(80) < 8, "meningioma", table["label"]
    )  # 2 of the 20 gliomas are none
    table.to_csv(models_copy / "evaluation" / "cnn--patient-disjoint.csv", index=False)
    words = words_of(with_entries(make_entry("a.png", ("glioma", "glioma"), 0.85)))
    assert "18 of 20, 90 % (95 % CI 70-97)" in words and "Not yet measured" in words  # CNN; VGG16
    assert "no track record" in words_of(with_entries(make_entry("a.png", ("glioma", "glioma"), 0.6)))


def test_scan_that_the_gate_refuses_is_shown_without_any_answer(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("cxr.png", ("meningioma", "meningioma"), 0.99, grade="refused"))
    assert "does not look like a brain MRI slice" in plain(page.warning[0].value)
    assert shows_scan_alone(page)
    table = worklist_of(page)
    assert table["Status"].tolist() == ["Rejected"] and table["Answer"].tolist() == [""]
    assert "meningioma" not in words_of(page).lower() and "99 %" not in words_of(page)


def test_answers_of_a_refused_scan_can_be_wished_for_it_alone(make_entry, tiny_app: Path) -> None:
    refused = [make_entry(name, ("glioma", "glioma"), grade="refused") for name in ("a.png", "b.png")]
    page = click(with_entries(*refused), "Show predictions anyway")
    assert len(pictures_of(page)) == 3 and "glioma" in words_of(page)
    assert "does not look like a brain MRI slice" in plain(page.warning[0].value)
    assert [answer[:6] for answer in worklist_of(page)["Answer"]] == ["glioma", ""]
    page = select(page, refused[1].key)
    assert shows_scan_alone(page)


def test_unusual_scan_has_its_answer_and_a_warning(make_entry, tiny_app: Path) -> None:
    page = with_entries(make_entry("a.png", ("glioma", "glioma"), grade="unusual"))
    assert "Unusual" in plain(page.warning[0].value) and len(pictures_of(page)) == 3
    assert worklist_of(page)["Status"].tolist() == ["Out of distribution"]


def test_uploaded_noise_is_refused_by_the_gate(detector_models: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    page = upload(run(), {"noise.png": cv2.imencode(".png", noise)[1].tobytes()})
    assert "does not look like a brain MRI slice" in plain(page.warning[0].value) and shows_scan_alone(page)


def test_example_shows_its_answers_even_where_the_gate_refuses_the_drawing(detector_models: Path) -> None:
    page = click(run(), "Try the synthetic example")
    assert page.session_state["worklist"]["synthetic"].grade == "refused"
    assert len(pictures_of(page)) == 3 and "drawn by code" in words_of(page)


def models_of(page: AppTest) -> list[str]:
    table = probabilities_of(page)
    return [] if table is None else table.columns.tolist()


def test_a_fitted_ensemble_is_shown_beside_the_classifiers(fitted_models: Path, png_bytes) -> None:
    page = upload(run(), {"one.png": png_bytes(1)})
    (entry,) = page.session_state["worklist"].values()
    assert entry.joint is not None and entry.confidence == entry.joint.confidence
    assert "Ensemble" in models_of(page)
    assert f"tumour score (0-1) {entry.segmentation.tumor_score:.2f}" in words_of(page)
    assert ("Ensemble probability" in words_of(page)) == entry.is_concordant


def test_nothing_is_said_of_an_ensemble_that_was_not_fitted(fitted_models: Path, png_bytes) -> None:
    (fitted_models / ENSEMBLE).unlink()
    change_card(fitted_models / "unet.keras", outliers=None)
    page = upload(run(), {"one.png": png_bytes(1)})
    (entry,) = page.session_state["worklist"].values()
    assert entry.joint is None and entry.segmentation.grade == "ok"
    assert "Ensemble" not in models_of(page) and "nsemble" not in words_of(page)
    assert "tumour score (0-1)" in words_of(page)


@pytest.mark.parametrize("content", [b"{", b'{"weights_sha256": {}}'])
def test_a_damaged_ensemble_is_named_with_the_remedy(fitted_models: Path, png_bytes, content: bytes) -> None:
    (fitted_models / ENSEMBLE).write_bytes(content)
    page = upload(run(), {"one.png": png_bytes(1)})
    (problem,) = [error.value for error in page.error]
    assert problem.startswith("There is no ensemble: ") and "ensemble.json cannot be used: " in problem
    assert "model.py calibrate" in problem
    (entry,) = page.session_state["worklist"].values()
    assert entry.joint is None and entry.is_read, "the models are shown alone"


def test_what_the_outlier_classifier_refuses_is_hidden(fitted_models: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    page = upload(run(), {"noise.png": cv2.imencode(".png", noise)[1].tobytes()})
    assert "does not look like a brain MRI slice" in words_of(page) and not models_of(page)
    page = click(page, "Show predictions anyway")
    assert models_of(page)


def test_the_page_shows_before_pandas_is_imported(tiny_app: Path) -> None:
    code = (
        "import sys; sys.modules['pandas'] = None; from streamlit.testing.v1 import AppTest; "
        "page = AppTest.from_file('pages/read.py', default_timeout=60).run(); "
        "assert not page.exception and page.button, page"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


def test_example_is_read_without_tensorflow_and_scipy(tiny_app: Path) -> None:
    code = (
        "import sys; from streamlit.testing.v1 import AppTest; "
        "page = AppTest.from_file('pages/read.py', default_timeout=60).run(); "
        "page.button[0].click().run(); "
        "assert not page.exception and page.get('bidi_component'), page; "
        "print(sorted({'tensorflow', 'keras', 'scipy', 'openvino_telemetry'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
