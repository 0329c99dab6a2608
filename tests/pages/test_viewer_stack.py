"""The viewer on a stack, and the keys that a page binds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.steps import again, component_of, opened, viewer_of, views_beside
from utils.reading.worklist import Entry, view_slice

SLICES = 4


@pytest.fixture
def volume(make_entry) -> Entry:
    """Four slices, of which the first looks like no brain MRI."""
    slices = []
    for number in range(SLICES):
        entry = make_entry("head.nii", ("glioma", "glioma"), 0.9)
        scan = replace(entry.scan, slice=number + 1, spacing=(0.5, 0.5))
        slices.append(replace(entry, scan=scan, name=f"head.nii, slice {number + 2}", slice_count=SLICES + 1))
    first = slices[0]
    slices[0] = replace(first, readings=tuple(replace(each, grade="refused") for each in first.readings))
    return view_slice(replace(slices[0], slices=tuple(slices)), 2)


def test_the_slices_of_a_stack_go_to_the_browser_with_their_maps(volume: Entry, tiny_app) -> None:
    page = opened("compare", volume)
    stack, viewer = component_of(page, "stack_images"), viewer_of(page)
    assert viewer["stack"] == stack["name"] and viewer["position"] == 2 and viewer["spacing"] == 0.5
    assert [entry["number"] for entry in stack["slices"]] == [2, 3, 4, 5]
    panes = stack["slices"][1]["panes"]
    assert [bool(pane["evidence"]) for pane in panes] == [False, True, True]
    assert panes[1]["title"] == "CNN: glioma, 90 %"
    hidden = stack["slices"][0]["panes"]
    assert not any(pane["evidence"] for pane in hidden) and hidden[1]["title"] == "CNN: not shown"
    assert stack["slices"][2]["panes"][0]["alt"] == viewer["panes"][0]["alt"]
    page.session_state["shown-anyway"] = {volume.key}
    shown = component_of(again(page), "stack_images")["slices"][0]["panes"]
    assert shown[1]["evidence"] and shown[1]["title"] == "CNN: glioma, 90 %"


def test_slices_are_drawn_once_for_each_class(volume: Entry, tiny_app) -> None:
    page = opened("compare", volume)
    first = component_of(page, "stack_images")
    (kept,) = page.session_state["stack-views"][1].values()
    page = again(page)
    assert next(iter(page.session_state["stack-views"][1].values())) is kept
    page.segmented_control(key=f"compare-class-{volume.key}").set_value("pituitary")
    page = again(page)
    other = component_of(page, "stack_images")
    assert other["name"] != first["name"] and "pituitary" in other["slices"][1]["panes"][1]["alt"]


def test_a_single_scan_has_no_stack(make_entry, tiny_app) -> None:
    page = opened("read", make_entry("a.png", ("glioma", "glioma"), 0.9))
    assert viewer_of(page)["stack"] is None and viewer_of(page)["layout"] == 1
    assert "stack_images" not in [element.proto.component_name for element in page.get("bidi_component")]


def test_keys_of_buttons_are_on_the_sheet(make_entry, tiny_app) -> None:
    page = opened("read", make_entry("a.png", ("glioma", "glioma"), 0.9))
    assert page.session_state["shortcuts"] == {"Review": {"a": "Agree", "d": "Disagree", "u": "Unsure"}}
    next(button for button in page.button if button.label == "Disagree").click()
    page = again(page)
    keys = page.session_state["shortcuts"]["Correct label"]
    assert keys["1"] == "Meningioma" and list(keys) == [str(number) for number in range(1, len(keys) + 1)]
    assert {button.label for button in page.button} >= set(keys.values())


def test_heatmaps_scroll_through_a_stack_with_the_maps_that_are_there(volume: Entry, tiny_app) -> None:
    page = opened("heatmaps", volume)
    stack, viewer = component_of(page, "stack_images"), viewer_of(page)
    assert viewer["stack"] == stack["name"] and viewer["position"] == 2 and viewer["layout"] == 3
    assert [entry["number"] for entry in stack["slices"]] == [2, 3, 4, 5]
    shown, hidden = stack["slices"][1], stack["slices"][0]
    assert [bool(pane["evidence"]) for pane in shown["panes"]] == [True, True]
    assert shown["panes"][0]["title"] == "CNN: Grad-CAM, glioma" == viewer["panes"][0]["title"]
    assert not any(pane["evidence"] for pane in hidden["panes"]) and not hidden["outlines"]
    assert hidden["panes"][0]["title"] == "CNN: Grad-CAM, glioma: not shown"
    page.session_state["worklist"][volume.key] = view_slice(volume, 0)  # the wheel does this
    page = again(page)
    assert not page.download_button and "not shown" in viewer_of(page)["panes"][1]["title"]
    assert viewer_of(page)["stack"] == stack["name"]


def test_maps_that_need_computing_come_where_the_viewer_rests(volume: Entry, every_method) -> None:
    page = opened("heatmaps", volume)
    next(group for group in page.button_group if group.label == "Methods").set_value(["hirescam", "gradcam"])
    page = again(page)
    assert all(pane["evidence"] for pane in viewer_of(page)["panes"])
    panes = component_of(page, "stack_images")["slices"][1]["panes"]
    assert [bool(pane["evidence"]) for pane in panes] == [False, False, True, True]
    assert panes[0]["title"] == "CNN: HiResCAM, glioma: not computed yet"
    page.session_state["worklist"][volume.key] = view_slice(volume, 1)
    assert all(pane["evidence"] for pane in viewer_of(again(page))["panes"])


def test_the_scans_beside_the_one_in_view_go_to_the_browser(make_entry, tiny_app) -> None:
    entries = [
        make_entry(name, ("glioma", "meningioma"), 0.9) for name in ("a.png", "b.png", "c.png", "d.png")
    ]
    entries[2] = make_entry("c.png", ("glioma", "glioma"), 0.9, grade="refused")
    page = opened("compare", *entries)
    page.session_state["selected"] = entries[1].key
    page = again(page)
    views = {view["key"]: view for view in views_beside(page)}
    assert set(views) == {entries[0].key, entries[2].key}
    assert [bool(pane["evidence"]) for pane in views[entries[0].key]["panes"]] == [False, True, True]
    assert [bool(pane["evidence"]) for pane in views[entries[2].key]["panes"]] == [False]
    page.session_state["selected"] = entries[0].key
    page = again(page)
    assert viewer_of(page) == views[entries[0].key], "a step shows what the browser had already"
    assert [view["key"] for view in views_beside(page)] == [entries[1].key]
