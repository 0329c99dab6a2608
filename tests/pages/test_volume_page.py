"""The Volume page: the slices of a series, the curves along it, and every way from one slice to another."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.steps import again, component_of, opened, viewer_of
from tests.support.stacks import AXIAL, FUSION, square, stack
from utils.networks.shipped import ENSEMBLE
from utils.reading.study import STUDY
from utils.reading.worklist import Entry, representative, view_slice, viewed_position
from utils.records.base import write_record
from utils.scans.scan import Scan


@pytest.fixture
def volume_saying(make_entry) -> Callable[..., Entry]:
    """A function labels -> a volume of one slice more (the first shows air) whose networks say these labels."""

    def make(*labels: str, name: str = "head.nii") -> Entry:
        slices = []
        for number, label in enumerate(labels, start=1):
            probability = 0.9 - 0.01 * number
            read = make_entry(f"{name}-{number}", (label, label), probability)
            scan = Scan(f"{name}-{number}", read.scan.pixels, "NIfTI", slice=number)
            slices.append(
                replace(
                    read, key=name, name=f"{name}, slice {number + 1}", scan=scan, slice_count=len(labels) + 1
                )
            )
        return view_slice(replace(slices[0], slices=tuple(slices)), len(slices) // 2)

    return make


@pytest.fixture
def fused_app(fitted_models: Path) -> Path:
    """The app with a fusion of slices that was fitted for its networks."""
    versions = json.loads((fitted_models / ENSEMBLE).read_text(encoding="utf-8"))["weights_sha256"]
    write_record(fitted_models / STUDY, FUSION.model_copy(update={"weights_sha256": versions}))
    return fitted_models


@pytest.fixture
def whole(volume_saying) -> Callable[..., Entry]:
    """A function: `volume_saying`, with the ensemble's answers, outlines and places of `stacks.stack`."""

    def make(tumor: Sequence[float], name: str = "head.nii", **facts: Any) -> Entry:
        labels = ["glioma" if probability >= 0.5 else "no_tumor" for probability in tumor]
        read, drawn = volume_saying(*labels, name=name), stack(tumor, name, **facts)
        slices = tuple(
            replace(
                entry,
                scan=other.scan,
                joint=other.joint,
                segmentation=other.segmentation,
            )
            for entry, other in zip(read.slices, drawn.slices, strict=True)
        )
        return view_slice(replace(slices[0], slices=slices), 0)

    return make


def words_of(page: AppTest) -> str:
    return " ".join(element.value for element in (*page.markdown, *page.caption, *page.warning))


def in_sight(page: AppTest, key: str = "head.nii") -> int:
    return viewed_position(page.session_state["worklist"][key])


def button(page: AppTest, words: str):
    return next(element for element in page.button if element.label.startswith(words))


def test_without_a_volume_the_page_says_what_to_drop(make_entry, tiny_app) -> None:
    page = opened("volume", make_entry("a.png", ("glioma", "glioma")))
    assert "No volume loaded" in page.info[0].value and not page.button


def test_the_summary_counts_slices_and_does_not_pretend(volume_saying, tiny_app) -> None:
    page = opened("volume", volume_saying("no_tumor", "glioma", "glioma", "no_tumor", "glioma"))
    assert page.subheader[0].value == "Suspicious slices: 3 of 5"
    assert "No patient-level answer: models/study.json is missing, damaged or of other models." in words_of(
        page
    )
    assert "Excluded of 6 slices: 1 with too little brain." in words_of(page)


def test_refused_slices_have_no_answer(volume_saying, tiny_app) -> None:
    volume = volume_saying("glioma", "glioma", "no_tumor")
    first = volume.slices[0]
    refused = replace(first, readings=tuple(replace(reading, grade="refused") for reading in first.readings))
    page = opened("volume", view_slice(replace(volume, slices=(refused, *volume.slices[1:])), 0))
    assert page.subheader[0].value == "Suspicious slices: 1 of 2"
    assert "1 out of distribution" in words_of(page)
    assert "does not look like a brain MRI slice" in words_of(page)
    panes = component_of(page, "stack_images")["slices"][0]["panes"]
    assert [pane["title"] for pane in panes[1:]] == ["CNN: not shown", "VGG16: not shown"]
    assert not any(pane["evidence"] for pane in panes)


def test_no_tumour_anywhere_leaves_no_slice_to_jump_to(volume_saying, tiny_app) -> None:
    page = opened("volume", volume_saying("no_tumor", "no_tumor", "no_tumor"))
    assert page.subheader[0].value == "Suspicious slices: 0 of 3"
    assert not [element for element in page.button if element.label.startswith("Slice")]


def test_jumps_lead_to_the_most_suspicious_slice_of_each_run(volume_saying, tiny_app) -> None:
    page = opened("volume", volume_saying("glioma", "glioma", "no_tumor", "no_tumor", "meningioma"))
    assert [element.label for element in page.button if element.label.startswith("Slice")] == [
        "Slice 2: glioma",
        "Slice 6: meningioma",
    ]
    button(page, "Slice 6").click()
    assert in_sight(again(page)) == 4
    button(page, "Slice 2").click()
    assert in_sight(again(page)) == 0


def test_all_slices_are_in_the_browser_and_a_jump_moves_it(volume_saying, tiny_app) -> None:
    page = opened("volume", volume_saying("no_tumor", "glioma", "no_tumor"))
    slices, place = component_of(page, "stack_images")["slices"], viewer_of(page)
    assert [entry["number"] for entry in slices] == [2, 3, 4] and place["position"] == 1
    titles = [pane["title"] for pane in slices[1]["panes"]]
    assert titles == ["head.nii, slice 3", "CNN: glioma, 88 %", "VGG16: glioma, 88 %"]
    assert [bool(pane["evidence"]) for pane in slices[1]["panes"]] == [False, True, True]
    page.session_state["worklist"]["head.nii"] = view_slice(page.session_state["worklist"]["head.nii"], 2)
    moved = viewer_of(again(page))
    assert (moved["position"], moved["jump"]) == (2, place["jump"]), "the browser's own move is no jump"
    button(page, "Slice 3").click()
    jumped = viewer_of(again(page))
    assert jumped["position"] == 1 and jumped["jump"] != place["jump"]


def test_the_class_of_the_maps_is_chosen_as_on_the_read_page(volume_saying, tiny_app) -> None:
    page = opened("volume", volume_saying("glioma", "glioma", "glioma"))
    page.segmented_control(key="volume-class-head.nii").set_value("pituitary")
    panes = component_of(again(page), "stack_images")["slices"][0]["panes"]
    assert "of CNN for pituitary tumour" in panes[1]["alt"]


def test_two_volumes_are_chosen_between(volume_saying, tiny_app) -> None:
    page = opened(
        "volume", volume_saying("glioma", "glioma"), volume_saying("no_tumor", "no_tumor", name="second.nii")
    )
    page.session_state["selected"] = "second.nii"
    assert "Suspicious slices: 0 of 2" in again(page).subheader[0].value
    assert in_sight(page) == 1  # the other volume stays where it was


def test_the_worklist_tells_the_most_suspicious_slice_whichever_is_in_view(volume_saying) -> None:
    volume = view_slice(volume_saying("no_tumor", "glioma", "no_tumor"), 0)
    assert volume.answer == "no tumour" and representative(volume).answer == "glioma"
    assert np.isclose(representative(volume).readings[0].confidence, 0.88)


def test_one_stack_has_a_patient_level_answer_and_a_volume(whole, fused_app) -> None:
    masks = [square(0), square(20), square(0), square(0)]
    page = opened("volume", whole([0.2, 0.97, 0.3, 0.1], masks=masks, orientation=AXIAL))
    assert page.subheader[0].value == "Tumour likely (97 %), favours glioma"
    words = words_of(page)
    assert "Outlined volume 2.0 ml on 1 slice (5.0 mm apart)" in words
    assert "Suspicious slices: 1 of 4." in words and "calibrated on validation patients" in words
    assert "No reformats: the slices are 5.0 mm apart" in words and "series of one study" not in words
    slices = component_of(page, "stack_images")["slices"]
    assert [len(entry["outlines"].get("outline", ())) for entry in slices] == [0, 1, 0, 0]
    assert not page.selectbox  # nothing to compare with


def test_between_the_limits_the_reader_decides(whole, fused_app) -> None:
    page = opened("volume", whole([0.6] * 4))
    assert page.subheader[0].value.startswith("Indeterminate - review manually")
    assert "review manually" in page.warning[0].value


def test_two_series_of_a_study_stand_together(whole, fused_app) -> None:
    flair = whole([0.97] * 3, "flair.nii", study="s", sequence="FLAIR", orientation=AXIAL)
    other = whole([0.2] * 3, "t1.nii", study="s")
    page = opened("volume", flair, other, whole([0.1] * 3, "another.nii"))
    assert page.subheader[0].value == "Indeterminate - review manually: probability of a tumour 74 %"
    words = words_of(page)
    assert "**2 series of one study**" in words
    assert "Series 1: FLAIR, axial (from the file), 3 slices; probability of a tumour 97 %" in words
    assert "Sequences: FLAIR; 1 series not recognised." in words
    assert "Series 2: Sequence and plane not recognised, 3 slices; probability of a tumour 20 %" in words
    button(page, "Show").click()
    assert again(page).session_state["selected"] == "t1.nii"


def test_series_that_still_wait_are_named_and_not_missing(whole, fused_app) -> None:
    other = whole([0.2] * 3, "t1c.nii", study="s", sequence="T1C+")
    waiting = replace(other, readings=(), slices=tuple(replace(each, readings=()) for each in other.slices))
    page = opened("volume", whole([0.97] * 3, "flair.nii", study="s", sequence="FLAIR"), waiting)
    assert page.info[0].value == "Not yet analysed: 1 series of this study. The answer is that of the others."
    assert "Sequences: T1 with contrast and FLAIR. Missing: T1 and T2." in words_of(page)


def test_prior_and_current_stand_side_by_side_with_the_change(whole, fused_app) -> None:
    current = whole([0.9] * 3, masks=[square(20)] * 3, orientation=AXIAL)
    prior = whole([0.9] * 3, "prior.nii", masks=[square(0), square(20), square(0)], sequence="T1")
    page = opened("volume", current, prior)
    assert "+4.0 ml" not in words_of(page)
    page.selectbox[0].select("prior.nii")
    words = words_of(again(page))
    assert "+4.0 ml (+200 %): from 2.0 ml to 6.0 ml" in words
    assert "The planes cannot be compared: not known and axial." in words
    assert "The sequences cannot be compared: T1 and not known." in words


def test_a_stack_with_close_slices_is_shown_in_three_planes(whole, fused_app) -> None:
    places = [float(number) for number in range(20)]
    page = opened("volume", whole([0.2] * 20, places=places, orientation=AXIAL))
    assert page.subheader[0].value.startswith("No tumour detected")
    planes = next(group for group in page.button_group if group.label == "Plane")
    assert list(planes.options) == ["Axial (as scanned)", "Coronal", "Sagittal"]
    planes.set_value("coronal")
    shown, slices = viewer_of(again(page)), component_of(page, "stack_images")["slices"]
    assert shown["kind"] == "coronal reformats" and len(slices) == 64
    assert shown["spacing"] == 1.0 and shown["sides"] == ["R", "L", "S", "I"]
    assert [pane["evidence"] for entry in slices for pane in entry["panes"]] == [None] * 64
    assert "left R, right L" in slices[0]["panes"][0]["alt"]
