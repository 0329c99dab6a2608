"""The Compare page: both answers for every loaded scan, agreement counted, both maps side by side."""

from __future__ import annotations

import json
from pathlib import Path

from streamlit.testing.v1 import AppTest

from utils.worklist import Entry

ROOT = Path(__file__).parents[2]
PAGE = str(ROOT / "pages" / "compare.py")


def run(*entries: Entry) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.session_state["worklist"] = {entry.key: entry for entry in entries}
    return again(page)


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def charts_of(page: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def pictures_of(page: AppTest) -> list[str]:
    """The addresses of the scan and its two maps; the colour scale is left out."""
    addresses = [picture.value[0] for picture in page.image if "no evidence" not in picture.captions[0]]
    assert len(addresses) == 3
    return addresses


def words_of(page: AppTest) -> list[str]:
    """What stands beside the pictures."""
    return [element.value for element in (*page.markdown, *page.caption)] + [
        caption for picture in page.image for caption in picture.captions
    ]


def test_nothing_loaded_offers_the_example(tiny_app: Path) -> None:
    page = run()
    assert "No scan is loaded" in page.info[0].value and not page.image
    page.button[0].click()
    page = again(page)
    assert page.dataframe[0].value["Scan"].tolist() == ["Synthetic example"]
    assert len(charts_of(page)) == 1  # a single scan needs no scatter


def test_only_refused_files_count_as_nothing_loaded(tiny_app: Path) -> None:
    page = run(Entry("k", "text.png", None, reason="This is not a picture."))
    assert "No scan is loaded" in page.info[0].value


def test_agreement_is_counted_and_both_answers_stand_side_by_side(entry_saying, tiny_app: Path) -> None:
    page = run(
        entry_saying("a.png", ("glioma", "glioma"), 0.9),
        entry_saying("b.png", ("glioma", "no_tumor"), 0.7),
        entry_saying("c.png", ("pituitary", "pituitary"), 0.4, unsure=True),
        Entry("k", "text.png", None, reason="This is not a picture."),
    )
    assert "2 of 3" in page.header[0].value
    table = page.dataframe[0].value.set_index("Scan")
    assert table.index.tolist() == ["a.png", "b.png", "c.png"]
    answers = {
        "CNN": (("glioma", "90 %"), ("glioma", "70 %"), ("pituitary tumour", "40 %")),
        "VGG16": (("glioma", "90 %"), ("no tumour", "70 %"), ("pituitary tumour", "40 %")),
    }
    for title, said in answers.items():
        for (label, probability), cell in zip(said, table[title], strict=True):
            assert label in cell and probability in cell
    assert table["Networks"].tolist() == ["agree", "disagree", "unsure"]
    assert len(charts_of(page)) == 2


def test_both_maps_stand_beside_the_scan(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("a.png", ("glioma", "meningioma"), 0.83))
    assert len(set(pictures_of(page))) == 3
    for needed in (("CNN", "glioma", "83 %"), ("VGG16", "meningioma", "83 %")):
        assert any(all(word in text for word in needed) for text in words_of(page))


def test_class_and_opacity_change_the_maps_alone(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("a.png", ("glioma", "glioma")))
    first = pictures_of(page)
    page.button_group[0].set_value("pituitary")
    second = pictures_of(again(page))
    page.slider[0].set_value(0.1)
    third = pictures_of(again(page))
    assert first[0] == second[0] == third[0]
    assert len({first[1], second[1], third[1]}) == len({first[2], second[2], third[2]}) == 3


def test_next_shows_the_next_scan(entry_saying, tiny_app: Path) -> None:
    page = run(entry_saying("a.png", ("glioma", "glioma")), entry_saying("b.png", ("no_tumor", "no_tumor")))
    first = pictures_of(page)
    next(button for button in page.button if button.label == "Next").click()
    page = again(page)
    assert pictures_of(page)[0] != first[0]
    assert any("CNN" in text and "no tumour" in text for text in words_of(page))


def test_example_with_missing_networks_names_the_file_and_the_command(models_copy: Path) -> None:
    (models_copy / "vgg16.keras").unlink()
    page = run()
    if not page.error:  # the page may tell it at once, or when a scan is to be read
        page.button[0].click()
        page = again(page)
    assert "vgg16.keras" in page.error[0].value
    assert "python model.py train --model vgg16" in page.error[0].value


def test_scans_stay_readable_where_the_networks_have_gone(entry_saying, models_copy: Path) -> None:
    (models_copy / "vgg16.keras").unlink()
    page = run(entry_saying("a.png", ("glioma", "glioma")))
    assert len(pictures_of(page)) == 3


def test_what_the_gate_refuses_is_neither_told_nor_counted(entry_saying, tiny_app: Path) -> None:
    page = run(
        entry_saying("cxr.png", ("meningioma", "meningioma"), 0.99, grade="refused"),
        entry_saying("a.png", ("glioma", "glioma")),
    )
    assert "1 of 1" in page.header[0].value
    table = page.dataframe[0].value.set_index("Scan")
    assert table.loc["cxr.png", ["CNN", "VGG16", "Networks"]].tolist() == [
        "not shown",
        "not shown",
        "refused",
    ]
    assert "glioma" in table.loc["a.png", "CNN"]
    assert len(page.image) == 1 and not charts_of(page)
    assert not any("meningioma" in text for text in words_of(page))
