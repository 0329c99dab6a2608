"""The pages of a PDF report: text, images, scale bars, links, long comments, many scans."""

from __future__ import annotations

import io
import re
from typing import Any, cast

import numpy as np
import pytest
from pypdf import PdfReader

from tests.reports.examples import CREATED, DRAWN, VERSIONS, page_of, pages_of, refused_file
from utils.cases.reviews import Review
from utils.reports.pdf import DISCLAIMER, report_pdf
from utils.reports.pdf_layout import UNPRINTABLE, shrunk
from utils.reports.reported import ReportedScan, Settings


def test_page_of_a_scan(entry_with, networks) -> None:
    drawn = Settings(scale=0.2, opacity=0.5, threshold=0.25)
    review = Review("disagree", "meningioma", "Dural tail, see slice 12.")
    pages = pages_of(report_pdf([ReportedScan("Scan 1", entry_with(), drawn, review)], networks, CREATED))
    assert len(pages) == 2
    for words in (
        "Scan 1",
        "Glioma, both models agree (85 %)",
        "CNN: glioma, 85 %",
        "VGG16: glioma, 85 %",
        "no evidence strong evidence",
        "Saliency maps for class: glioma. Method: Grad-CAM; opacity 50 %; display threshold 25 % of full colour.",
        "One colour scale for all classes and models: full colour from 0.2 calibrated logits.",
        "CNN 85 % 5 % 5 % 5 % PPV for glioma at 70-90 %, held-out patients: 15 of 20, 75 % (95 % CI 53-89).",
        "VGG16 85 % 5 % 5 % 5 % Not yet measured on held-out patients.",
        "The reviewer disagrees. Correct label: meningioma. Dural tail, see slice 12.",
        "PNG, 70 x 90 pixels",
        "Scale unknown: no pixel spacing in the file",
    ):
        assert words in pages[0]


def test_last_page_has_the_facts_about_the_models(entry_with, networks) -> None:
    last = pages_of(report_pdf([ReportedScan("Scan 1", entry_with(), DRAWN)], networks, CREATED))[-1]
    for words in (
        *VERSIONS.values(),
        "92.5 % (95 % CI 89.4-95.2) on 778 scans not yet measured",
        "Calibration temperature 0.73 0.73",
        "2026-11-20, protocol patient-disjoint",
        "Licence of the weights Own. Own.",
    ):
        assert words in last


def test_every_page_has_disclaimer_chapter_time_and_number(entry_with, networks) -> None:
    scans = [ReportedScan(f"Scan {number}", entry_with(seed=number), DRAWN) for number in range(1, 4)]
    pages = pages_of(report_pdf(scans, networks, CREATED))
    chapters = ("Summary", "Scan 1", "Scan 2", "Scan 3", "Models")
    assert len(pages) == len(chapters)
    for number, (page, chapter) in enumerate(zip(pages, chapters, strict=True), 1):
        assert page.endswith(f"{DISCLAIMER} {chapter} | 2026-11-21 18:04 UTC | Page {number} of 5")
        assert len(re.findall("diagnos", page, re.IGNORECASE)) == 1


def test_summary_has_a_row_per_scan_with_a_link(entry_with, networks) -> None:
    scans = [
        ReportedScan("Scan 1", entry_with(), DRAWN, Review("agree")),
        ReportedScan("Scan 2", refused_file(), DRAWN),
        ReportedScan("Scan 3", entry_with(("glioma", "no_tumor")), DRAWN),
    ]
    reader = PdfReader(io.BytesIO(report_pdf(scans, networks, CREATED)))
    first = " ".join(reader.pages[0].extract_text().split())
    assert "3 scans: 1 discordant, 1 concordant, 1 rejected." in first
    assert "Scan 1 Concordant glioma, 85 % glioma, 85 % The reviewer agrees." in first
    assert "Scan 2 Rejected, not analysed This is not an image." in first
    assert "Scan 3 Discordant glioma, 85 % no tumour, 85 %" in first
    assert len(reader.pages) == 4 and len(reader.pages[0]["/Annots"]) == 2  # type: ignore[arg-type]
    titles = [(entry.title, reader.get_destination_page_number(entry)) for entry in cast(Any, reader.outline)]
    assert titles == [("Summary", 0), ("Scan 1", 1), ("Scan 3", 2), ("Models", 3)]


def test_images_are_the_scan_and_each_models_map(entry_with, networks) -> None:
    entry = entry_with(shape=(1000, 800))
    images = {}
    for opacity in (0.0, 1.0):
        pdf = report_pdf([ReportedScan("Scan 1", entry, Settings(0.2, opacity))], networks, CREATED)
        images[opacity] = [file.image for file in PdfReader(io.BytesIO(pdf)).pages[0].images]
    plain = [np.asarray(image) for image in images[0.0] if image and image.mode == "L"]
    assert len(plain) == 1 and entry.scan is not None
    np.testing.assert_array_equal(plain[0], np.rint(shrunk(entry.scan.pixels, 700) * 255))
    for opacity, colourful in ((0.0, False), (1.0, True)):
        drawn = [
            np.asarray(image, int)
            for image in images[opacity]
            if image and image.mode == "RGB" and image.size == (560, 700)
        ]
        assert drawn  # the same image twice is stored once
        assert all((np.ptp(image, axis=2).max() > 60) == colourful for image in drawn)


@pytest.mark.parametrize(
    ("spacing", "shape"), [((0.9, 0.45), (90, 70)), ((1.0, 1.0), (64, 200)), ((0.05, 0.2), (90, 70))]
)
def test_scale_bar_and_proportions_are_anatomical(entry_with, networks, spacing, shape) -> None:
    scan = ReportedScan("Scan 1", entry_with(shape=shape, spacing=spacing), DRAWN)
    page = PdfReader(io.BytesIO(report_pdf([scan], networks, CREATED))).pages[0]
    content = page.get_contents()
    assert content is not None
    drawn = re.search(r"([\d.]+) 0 0 ([\d.]+) 0 [\d.]+ cm\s+/FormXob", content.get_data().decode("latin-1"))
    bar = re.search(r"\s0 5 m ([\d.]+) 5 l", content.get_data().decode("latin-1"))
    words = re.search(r"([\d.]+) mm CNN", " ".join(page.extract_text().split()))
    assert drawn and bar and words
    width, height = float(drawn[1]), float(drawn[2])
    assert width / height == pytest.approx(shape[1] * spacing[1] / (shape[0] * spacing[0]), rel=1e-3)
    assert float(bar[1]) / width == pytest.approx(float(words[1]) / (shape[1] * spacing[1]), rel=1e-3)


def test_text_is_printed_or_visibly_replaced(entry_with, networks) -> None:
    note = "größer als <b>& 5 µm</b> β 髄膜腫 🧠 \x00 \ud800 n\u0303\u200b\tend\r\n=1+1"
    page = page_of(ReportedScan("Scan 1", entry_with(), DRAWN, Review("agree", None, note)), networks)
    assert "größer als <b>& 5 µm</b> ? ??? ? ? ? ñ? end =1+1".replace("?", UNPRINTABLE) in page
    assert f"{UNPRINTABLE} replaces a character that the font lacks" in page
    named = page_of(ReportedScan("Knie\n膝\ud800" + 20 * " again", entry_with(), DRAWN), networks)
    assert f"{DISCLAIMER} Knie {2 * UNPRINTABLE} again again again again ... | 2026" in named


@pytest.mark.parametrize("note", ["xyz " * 4000, "x" * 20_000, "x\n" * 500])
def test_long_comment_continues_on_further_pages(entry_with, networks, note) -> None:
    scan = ReportedScan("Scan 1", entry_with(), DRAWN, Review("unsure", None, note))
    pages = pages_of(report_pdf([scan], networks, CREATED))
    assert len(pages) > 3 and all(f"{DISCLAIMER} Scan 1 |" in page for page in pages[:-1])
    assert sum(page.count("x") for page in pages) >= note.count("x")


def test_sixty_scans(entry_with, networks) -> None:
    scans = [
        ReportedScan(f"Scan {number}", entry_with(shape=(300, 260), seed=number), DRAWN)
        for number in range(1, 61)
    ]
    pdf = report_pdf(scans, networks, CREATED)
    pages = pages_of(pdf)
    assert [page.split(" Brain")[0] for page in pages[-61:-1]] == [scan.name for scan in scans]
    assert len(pages) == 64 and all("Scan Status CNN VGG16 Review" in page for page in pages[:3])
    assert len(pdf) < 60 * 200_000
