"""A report says what was read, how, by which networks and how far to trust it, and never names a file unasked."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from utils.cases.reviews import Review
from utils.classes import CLASSES
from utils.datasets.protocols import protocol_named
from utils.networks.cards import Card
from utils.reading import ood_detector
from utils.reading.worklist import Entry
from utils.reports.content import (
    ReportedNetwork,
    ReportedScan,
    Settings,
    accuracy_in_words,
    network_facts,
    reported_networks,
    session_csv,
    verdict,
)
from utils.reports.pdf import DISCLAIMER, report_pdf
from utils.reports.pdf_layout import UNPRINTABLE, bar_length, printable, scan_size, shrunk
from utils.results.records import Evaluation
from utils.scans.preprocessing import Geometry, preprocess
from utils.scans.scan import Scan
from utils.wording import CLASS_TITLES

CREATED = datetime(2026, 11, 21, 18, 4, tzinfo=UTC)
SECRET = "Doe^Jane19700101.dcm"
VERSIONS = {"cnn": "c" * 64, "vgg16": "f" * 64}
DRAWN = Settings(scale=0.2)


@dataclass(frozen=True)
class Said:
    """What reports need of utils.reading.reader.Reading, without Keras."""

    network: str
    title: str
    label: str
    probabilities: np.ndarray
    maps: np.ndarray
    geometry: Geometry
    grade: str = "ok"
    flags: tuple[str, ...] = ()
    classes: tuple[str, ...] = CLASSES

    @property
    def version(self) -> str:
        return VERSIONS[self.network]

    @property
    def confidence(self) -> float:
        return float(self.probabilities.max())

    @property
    def shown_class(self) -> str:
        return "glioma" if self.label == "no_tumor" else self.label

    def probability(self, label: str) -> float:
        return float(self.probabilities[self.classes.index(label)])

    def strength(self, label: str, scale: float) -> np.ndarray:
        return self.geometry.to_scan(self.maps[self.classes.index(label)]) / scale


@pytest.fixture
def read(draw_brain) -> Callable[..., Entry]:
    """A function that puts words into the networks' mouths: an entry with two readings, the file's name is SECRET."""

    def make(
        labels: tuple[str, ...] = ("glioma", "glioma"),
        probability: float = 0.85,
        grade: str = "ok",
        flags: tuple[str, ...] = (),
        shape: tuple[int, int] = (90, 70),
        seed: int = 0,
        **scan: Any,
    ) -> Entry:
        pixels = draw_brain(*shape, seed=seed)
        maps = 0.3 * np.random.default_rng(seed).random((4, 7, 7), np.float32)
        readings = []
        for network, label in zip(VERSIONS, labels, strict=True):
            probabilities = np.full(4, (1 - probability) / 3, np.float32)
            probabilities[CLASSES.index(label)] = probability
            geometry = preprocess(pixels, 64)[1]
            said = Said(network, network.upper(), label, probabilities, maps, geometry, grade, flags)
            readings.append(cast(Any, said))
        return Entry(f"{seed}", SECRET, Scan(SECRET, pixels, "PNG", **scan), tuple(readings))

    return make


@pytest.fixture
def networks() -> list[ReportedNetwork]:
    """The CNN, right on 15 of 20 scans that it called glioma at 0.85; the VGG16, never measured."""
    alike = pd.DataFrame({"target": ["glioma"] * 15 + ["meningioma"] * 5, "label": "glioma", "glioma": 0.85})
    figures = {"n": 778, "accuracy": 0.92545, "accuracy_interval": [0.89378, 0.95248]}
    facts = {
        "task": "four-class",
        "temperature": 0.7348,
        "protocol": "patient-disjoint",
        "date": "2026-11-20",
    }
    cards = {
        name: Card(
            Path(f"{name}.json"), facts | {"name": name, "weights_sha256": VERSIONS[name], "licence": "Own."}
        )
        for name in VERSIONS
    }
    return [
        ReportedNetwork(cards["cnn"], Evaluation("cnn", protocol_named("patient-disjoint"), figures, alike)),
        ReportedNetwork(cards["vgg16"]),
    ]


def refused_file(name: str = SECRET) -> Entry:
    return Entry("file", name, None, reason="This is not an image.")


def pages_of(pdf: bytes) -> list[str]:
    """The text of every page, as one line."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(pdf)).pages]


def page_of(scan: ReportedScan, networks: list[ReportedNetwork]) -> str:
    """The text of a single scan's page, as one line."""
    return pages_of(report_pdf([scan], networks, CREATED))[0]


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_page_of_a_scan_says_what_was_read_and_how(read, networks) -> None:
    drawn = Settings(scale=0.2, opacity=0.5, threshold=0.25)
    review = Review("disagree", "meningioma", "Dural tail, see slice 12.")
    pages = pages_of(report_pdf([ReportedScan("Scan 1", read(), drawn, review)], networks, CREATED))
    assert len(pages) == 2
    for words in (
        "Scan 1",
        "Glioma (concordant)",
        "CNN: glioma, 85 %",
        "VGG16: glioma, 85 %",
        "no evidence strong evidence",
        "Shown: evidence for glioma. Method: Grad-CAM; opacity 50 %; evidence weaker than 25 % of full colour is",
        "One scale for all classes and networks: full colour from 0.2 calibrated logits.",
        "CNN 85 % 5 % 5 % 5 % On scans of unseen patients it said glioma with 70 to 90 % 20 times",
        "20 times and was right 15 times.",
        "VGG16 85 % 5 % 5 % 5 % Not yet measured on unseen patients.",
        "The reviewer disagrees. Right class: meningioma. Dural tail, see slice 12.",
        "PNG, 70 x 90 pixels",
        "its file does not tell the scale",
    ):
        assert words in pages[0]


def test_last_page_tells_which_networks_read_and_how_good_they_are(read, networks) -> None:
    last = pages_of(report_pdf([ReportedScan("Scan 1", read(), DRAWN)], networks, CREATED))[-1]
    for words in (
        *VERSIONS.values(),
        "92.5 % (95 % CI 89.4-95.2) on 778 scans not yet measured",
        "Calibration temperature 0.73 0.73",
        "2026-11-20, protocol patient-disjoint",
        "Licence of the weights Own. Own.",
    ):
        assert words in last


def test_figures_of_other_weights_are_not_shown(read, networks) -> None:
    trained_again = [
        replace(one, card=Card(one.card.file, one.card.facts | {"weights_sha256": "0"})) for one in networks
    ]
    page, last = pages_of(report_pdf([ReportedScan("Scan 1", read(), DRAWN)], trained_again, CREATED))
    assert "times and was right" not in page and "92.5 %" not in last and VERSIONS["cnn"] in last
    assert network_facts("0", trained_again[0])["Accuracy on unseen patients"].startswith("92.5 %")


def test_every_page_says_what_it_is_not_and_when_and_which_it_is(read, networks) -> None:
    scans = [ReportedScan(f"Scan {number}", read(seed=number), DRAWN) for number in range(1, 4)]
    pages = pages_of(report_pdf(scans, networks, CREATED))
    chapters = ("Summary", "Scan 1", "Scan 2", "Scan 3", "Networks")
    assert len(pages) == len(chapters)
    for number, (page, chapter) in enumerate(zip(pages, chapters, strict=True), 1):
        assert page.endswith(f"{DISCLAIMER} {chapter} | 2026-11-21 18:04 UTC | Page {number} of 5")
        assert len(re.findall("diagnos", page, re.IGNORECASE)) == 1


def test_summary_has_a_row_a_scan_that_leads_to_its_page(read, networks) -> None:
    scans = [
        ReportedScan("Scan 1", read(), DRAWN, Review("agree")),
        ReportedScan("Scan 2", refused_file(), DRAWN),
        ReportedScan("Scan 3", read(("glioma", "no_tumor")), DRAWN),
    ]
    reader = PdfReader(io.BytesIO(report_pdf(scans, networks, CREATED)))
    first = " ".join(reader.pages[0].extract_text().split())
    assert "3 scans: 1 disagree, 1 agree, 1 refused." in first
    assert "Scan 1 agree glioma, 85 % glioma, 85 % The reviewer agrees." in first
    assert "Scan 2 refused Not read. This is not an image." in first
    assert "Scan 3 disagree glioma, 85 % no tumour, 85 %" in first
    assert len(reader.pages) == 4 and len(reader.pages[0]["/Annots"]) == 2  # type: ignore[arg-type]
    titles = [(entry.title, reader.get_destination_page_number(entry)) for entry in cast(Any, reader.outline)]
    assert titles == [("Summary", 0), ("Scan 1", 1), ("Scan 3", 2), ("Networks", 3)]


@pytest.mark.parametrize(
    ("labels", "grade", "flags", "words"),
    [
        (("no_tumor", "no_tumor"), "ok", (), "No tumour (concordant)"),
        (
            ("glioma", "pituitary"),
            "ok",
            (),
            "Indeterminate - review manually Discordant: CNN: glioma, VGG16: pituitary tumour.",
        ),
        (
            ("glioma", "glioma"),
            "ok",
            ("unsure",),
            "Indeterminate; favours glioma Low confidence: CNN and VGG16 below their referral",
        ),
        (
            ("glioma", "glioma"),
            "unusual",
            ("unusual",),
            "Unusual scan. Glioma (concordant) " + ood_detector.UNUSUAL,
        ),
        (("glioma", "glioma"), "ok", ("turned",), ood_detector.NOTES["turned"]),
        (("no_tumor", "no_tumor"), "ok", (), "the maps show what little speaks for glioma"),
    ],
)
def test_verdict_in_words(read, networks, labels, grade, flags, words) -> None:
    scan = ReportedScan("Scan 1", read(labels, grade=grade, flags=flags), DRAWN)
    assert words in page_of(scan, networks)


def test_refused_scan_is_shown_without_any_answer(read, networks) -> None:
    scans = [
        ReportedScan(f"Scan {number}", read(probability=0.77, grade="refused", seed=number), DRAWN)
        for number in (1, 2)
    ]
    pdf = report_pdf(scans, networks, CREATED)
    summary, page, *_ = pages_of(pdf)
    assert ood_detector.REFUSED in page and summary.count("not shown not shown") == 2
    for text in (summary, page):
        assert "77 %" not in text and not any(title in text.lower() for title in CLASS_TITLES.values())
    assert len(PdfReader(io.BytesIO(pdf)).pages[1].images) == 1
    (row, _) = rows_of(session_csv(scans, CREATED))
    assert row["status"] == row["grade"] == "refused" and row["cnn_version"] == VERSIONS["cnn"]
    assert row["cnn_label"] == row["cnn_glioma"] == row["vgg16_pituitary"] == ""


def test_refused_scan_shows_its_answers_where_they_were_asked_for(read, networks) -> None:
    scan = ReportedScan("Scan 1", read(probability=0.77, grade="refused"), DRAWN, answers_wished=True)
    page = page_of(scan, networks)
    assert "Refused scan. Glioma (concordant)" in page and "asked for all the same; they mean little" in page
    assert "77 %" in page and rows_of(session_csv([scan], CREATED))[0]["cnn_glioma"] == "0.7700"


def test_file_that_was_not_read_has_its_reason(networks) -> None:
    pages = pages_of(report_pdf([ReportedScan("Scan 1", refused_file(), DRAWN)], networks, CREATED))
    assert "This file was not read This is not an image." in pages[0] and VERSIONS["vgg16"] in pages[1]
    (row,) = rows_of(session_csv([ReportedScan("Scan 1", refused_file(), DRAWN)], CREATED))
    assert (row["status"], row["grade"], row["reason"]) == ("refused", "", "This is not an image.")


def test_file_is_named_only_where_that_is_asked_for(read, networks) -> None:
    scans = [ReportedScan("Scan 1", read(), DRAWN), ReportedScan("Scan 2", refused_file(), DRAWN)]
    for some in (scans, scans[:1], scans[1:]):
        without, named = (report_pdf(some, networks, CREATED, file_names=asked) for asked in (False, True))
        assert SECRET not in " ".join(pages_of(without)) and b"Jane" not in without
        assert SECRET in pages_of(named)[0]
        assert "Jane" not in session_csv(some, CREATED)
        assert {row["file"] for row in rows_of(session_csv(some, CREATED, file_names=True))} == {SECRET}


def test_pictures_are_the_scan_and_each_networks_evidence(read, networks) -> None:
    entry = read(shape=(1000, 800))
    images = {}
    for opacity in (0.0, 1.0):
        pdf = report_pdf([ReportedScan("Scan 1", entry, Settings(0.2, opacity))], networks, CREATED)
        images[opacity] = [file.image for file in PdfReader(io.BytesIO(pdf)).pages[0].images]
    plain = [np.asarray(one) for one in images[0.0] if one and one.mode == "L"]
    assert len(plain) == 1 and entry.scan is not None
    np.testing.assert_array_equal(plain[0], np.rint(shrunk(entry.scan.pixels, 700) * 255))
    for opacity, colourful in ((0.0, False), (1.0, True)):
        drawn = [
            np.asarray(one, int)
            for one in images[opacity]
            if one and one.mode == "RGB" and one.size == (560, 700)
        ]
        assert drawn  # the same picture twice is kept once
        assert all((np.ptp(one, axis=2).max() > 60) == colourful for one in drawn)


@pytest.mark.parametrize(
    ("spacing", "shape"), [((0.9, 0.45), (90, 70)), ((1.0, 1.0), (64, 200)), ((0.05, 0.2), (90, 70))]
)
def test_scale_bar_and_proportions_are_those_of_the_body(read, networks, spacing, shape) -> None:
    scan = ReportedScan("Scan 1", read(shape=shape, spacing=spacing), DRAWN)
    page = PdfReader(io.BytesIO(report_pdf([scan], networks, CREATED))).pages[0]
    content = page.get_contents()
    assert content is not None
    drawn = re.search(r"([\d.]+) 0 0 ([\d.]+) 0 [\d.]+ cm\s+/FormXob", content.get_data().decode("latin-1"))
    bar = re.search(r"\s0 5 m ([\d.]+) 5 l", content.get_data().decode("latin-1"))
    words = re.search(r"([\d.]+) mm As it was read", " ".join(page.extract_text().split()))
    assert drawn and bar and words
    width, height = float(drawn[1]), float(drawn[2])
    assert width / height == pytest.approx(shape[1] * spacing[1] / (shape[0] * spacing[0]), rel=1e-3)
    assert float(bar[1]) / width == pytest.approx(float(words[1]) / (shape[1] * spacing[1]), rel=1e-3)


@given(st.floats(1e-3, 1e4))
def test_scale_bar_is_a_round_length_between_a_sixth_and_a_third(extent: float) -> None:
    length = bar_length(extent)
    assert extent / 7.6 < length <= extent / 3 * (1 + 1e-9)
    assert f"{length:.0e}"[0] in "125" and length == pytest.approx(float(f"{length:.0e}"))


def test_scan_fills_its_box() -> None:
    assert scan_size((100, 50), None, 200) == (100, 200)
    assert scan_size((100, 50), (0.5, 2.0), 200) == (200, 100)


def test_text_is_printed_or_visibly_replaced(read, networks) -> None:
    note = "größer als <b>& 5 µm</b> β 髄膜腫 🧠 \x00 \ud800 n\u0303\u200b\tend\r\n=1+1"
    page = page_of(ReportedScan("Scan 1", read(), DRAWN, Review("agree", None, note)), networks)
    assert "größer als <b>& 5 µm</b> ? ??? ? ? ? ñ? end =1+1".replace("?", UNPRINTABLE) in page
    assert f"{UNPRINTABLE} stands for a character that the font lacks" in page
    named = page_of(ReportedScan("Knie\n膝\ud800" + 20 * " again", read(), DRAWN), networks)
    assert f"{DISCLAIMER} Knie {2 * UNPRINTABLE} again again again again ... | 2026" in named


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_is_printed_has_a_glyph(text: str) -> None:
    assert all(char == "\n" or char.isprintable() for char in printable(text))
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize("note", ["xyz " * 4000, "x" * 20_000, "x\n" * 500])
def test_long_note_goes_on_over_pages_and_nothing_is_lost(read, networks, note) -> None:
    scan = ReportedScan("Scan 1", read(), DRAWN, Review("unsure", None, note))
    pages = pages_of(report_pdf([scan], networks, CREATED))
    assert len(pages) > 3 and all(f"{DISCLAIMER} Scan 1 |" in page for page in pages[:-1])
    assert sum(page.count("x") for page in pages) >= note.count("x")


def test_sixty_scans(read, networks) -> None:
    scans = [
        ReportedScan(f"Scan {number}", read(shape=(300, 260), seed=number), DRAWN) for number in range(1, 61)
    ]
    pdf = report_pdf(scans, networks, CREATED)
    pages = pages_of(pdf)
    assert [page.split(" Brain")[0] for page in pages[-61:-1]] == [scan.name for scan in scans]
    assert len(pages) == 64 and all("Scan Networks CNN VGG16 Review" in page for page in pages[:3])
    assert len(pdf) < 60 * 200_000


def test_same_input_gives_the_same_bytes_whatever_the_time_zone(read, networks) -> None:
    scans = [ReportedScan("Scan 1", read(), DRAWN), ReportedScan("Scan 2", read(seed=1), DRAWN)]
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=5)))
    assert report_pdf(scans, networks, CREATED) == report_pdf(scans, networks, elsewhere)
    assert session_csv(scans, CREATED) == session_csv(scans, elsewhere)


def test_nothing_to_report(networks) -> None:
    assert len(pages_of(report_pdf([], networks, CREATED))) == 1
    assert rows_of(session_csv([], CREATED)) == []


def test_csv_has_a_row_a_scan_with_everything_the_networks_said(read) -> None:
    volume = replace(read(("glioma", "meningioma"), flags=("unsure",), slice=3), slice_count=9)
    scans = [ReportedScan("Scan 1", volume, DRAWN, Review("disagree", "pituitary", "a, b\n“c”"))]
    (row,) = rows_of(session_csv(scans, CREATED))
    assert row == {
        "scan": "Scan 1", "slice": "4", "status": "disagree", "grade": "ok", "flags": "unsure", "reason": "",
        "cnn_label": "glioma", "cnn_glioma": "0.8500", "cnn_meningioma": "0.0500", "cnn_no_tumor": "0.0500",
        "cnn_pituitary": "0.0500", "cnn_version": VERSIONS["cnn"],
        "vgg16_label": "meningioma", "vgg16_glioma": "0.0500", "vgg16_meningioma": "0.8500",
        "vgg16_no_tumor": "0.0500", "vgg16_pituitary": "0.0500", "vgg16_version": VERSIONS["vgg16"],
        "review_verdict": "disagree", "review_class": "pituitary", "review_note": "a, b\n“c”",
        "created_utc": "2026-11-21T18:04:00Z", "use": "research and education only",
    }  # fmt: skip


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_no_cell_of_the_csv_is_a_formula_and_notes_come_back(note: str) -> None:
    scan = ReportedScan(note, refused_file("name"), DRAWN, Review("agree", None, note))
    text = session_csv([scan], CREATED)
    text.encode("utf-8-sig")
    (row,) = rows_of(text)
    kept = note.encode("utf-8", "replace").decode()
    for cell in (row["scan"], row["review_note"]):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert cell.removeprefix("'") == kept.removeprefix("'")


@pytest.mark.parametrize("note", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_cell_that_looks_like_a_formula_begins_with_an_apostrophe(note: str) -> None:
    (row,) = rows_of(
        session_csv([ReportedScan("Scan 1", refused_file(), DRAWN, Review("agree", None, note))], CREATED)
    )
    assert row["review_note"] == f"'{note}"


def test_shipped_networks_are_reported_with_their_measured_accuracy(monkeypatch) -> None:
    monkeypatch.delenv("BRAIN_MRI_MODELS", raising=False)
    found = {one.card.name: accuracy_in_words(one.evaluation) for one in reported_networks()}
    assert {"cnn", "vgg16"} <= set(found)
    assert re.fullmatch(r"\d\d\.\d % \(95 % CI [\d.-]+\) on \d+ scans", found["cnn"])
    assert reported_networks(Path("/nowhere")) == []


def test_one_network_alone_speaks_for_itself(read) -> None:
    entry = read(("glioma", "glioma"))
    alone, none = replace(entry, readings=entry.readings[:1]), replace(entry, readings=())
    assert verdict(ReportedScan("Scan 1", alone, DRAWN)) == ("CNN: glioma", "")
    assert verdict(ReportedScan("Scan 1", none, DRAWN)) == ("The networks have not read this scan", "")
