"""Draws the content of a report as a PDF: a summary, a page per scan, and a page on the models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from reportlab.platypus import Flowable, PageBreak, Spacer, Table

from utils.evidence import overlays
from utils.reports import pdf_layout as layout
from utils.reports.content import Maps, ModelsPage, Report, ScanPage, Summary, build_report
from utils.reports.pdf_layout import WIDTH, Chapter, LazyImage, paragraph, row, table
from utils.reports.reported import ReportedNetwork, ReportedScan
from utils.scans import rendering

if TYPE_CHECKING:
    from utils.reading.reader import Reading

NAME = "Brain MRI reader: report"
DISCLAIMER = "Research and education only. Not a medical device; not for diagnosis."
GAP = 12.0  # points between images
IMAGE_BOX, LONE_IMAGE_BOX = 236.0, 340.0  # points per side of the square that an image may fill
LARGEST_SIDE, SMALLEST_SIDE = 700, 400  # pixels of an image, ...
MOST_PIXELS = 40e6  # ... so that all images together stay below this, or are as small as allowed
UNPRINTABLE_WORDS = (
    f"({layout.UNPRINTABLE} replaces a character that the font lacks; the CSV has the comment as typed.)"
)
_LOCK = threading.Lock()  # ReportLab does not promise to be thread-safe


def report_pdf(
    scans: Sequence[ReportedScan],
    networks: Sequence[ReportedNetwork],
    created: datetime,
    file_names: bool = False,
) -> bytes:
    """A4 pages in landscape format. created: with a time zone. The same arguments give the same bytes."""
    return draw_report(build_report(scans, networks, file_names), created)


def draw_report(report: Report, created: datetime) -> bytes:
    """The PDF of the content of a report."""
    with _LOCK:
        story = _summary(report.summary) if report.summary else []
        side = _image_side(report)
        for page in report.pages:
            story += [*_scan_page(page, side), PageBreak()]
        story += _models_page(report.models)
        return layout.document(story, NAME, DISCLAIMER, created)


def _summary(summary: Summary) -> list[Flowable]:
    """A row for each scan, linked to its page."""
    has_files = any(scan.file for scan in summary.rows)
    models = summary.models or ("",)
    header = ["Scan", *["File"] * has_files, "Status", *models, "Review"]
    widths = [90.0, *[150.0] * has_files, 100.0, *[0.0] * len(models), 160.0]
    first = header.index("Status") + 1
    rows, spans = [[paragraph(title, bold=True) for title in header]], []
    for number, scan in enumerate(summary.rows, 1):
        results = scan.results
        if scan.reason:
            results = (scan.reason, *[""] * (len(models) - 1))
            spans.append(("SPAN", (first, number), (first + len(models) - 1, number)))
        cells = [*[scan.file] * has_files, scan.status, *results, scan.review]
        rows.append([paragraph(scan.name, link=scan.key), *(paragraph(cell) for cell in cells)])
    return [
        Chapter("Summary", "summary"),
        paragraph("Brain MRI reader: session report", layout.TITLE),
        Spacer(0, 4),
        paragraph(summary.counts),
        Spacer(0, 10),
        table(rows, widths, *spans),
        PageBreak(),
    ]


def _scan_page(page: ScanPage, side: int) -> list[Flowable]:
    right = [paragraph(fact, layout.RIGHT) for fact in (NAME, *page.facts)]
    story: list[Flowable] = [
        Chapter(page.name, page.key),
        row([paragraph(page.name, layout.TITLE), right], [WIDTH / 3, WIDTH * 2 / 3]),
        Spacer(0, 6),
        _headline(page),
    ]
    if page.panes:
        story += [Spacer(0, 8), _images(page, side)]
    if page.maps:
        story += [Spacer(0, 6), _colour_scale(page.maps), Spacer(0, 6), _probabilities(page)]
    story += [Spacer(0, 8), row([paragraph("Review", bold=True), paragraph(page.review)], [60, WIDTH - 60])]
    if page.comment:
        story.append(paragraph(page.comment, layout.NOTE))
        if layout.UNPRINTABLE in layout.printable(page.comment):
            story.append(paragraph(UNPRINTABLE_WORDS, layout.NOTE))
    return story


def _headline(page: ScanPage) -> Table:
    """Headline, remarks and notes in a box, tinted where there are remarks."""
    text = [paragraph(page.headline, layout.VERDICT)]
    text += [
        paragraph(sentence)
        for sentence in (" ".join(page.remarks), " ".join(page.findings), *page.notes)
        if sentence
    ]
    box = Table([[text]], colWidths=[WIDTH])
    box.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), layout.CAUTION if page.remarks else layout.CALM),
            ("LEFTPADDING", (0, 0), (-1, -1), 10),
            ("TOPPADDING", (0, 0), (-1, -1), 5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
        ]
    )
    return box


def _images(page: ScanPage, side: int) -> Table:
    """The images of a page side by side, all of one size. side: most pixels per side."""
    assert page.scan is not None
    pixels, spacing = page.scan.pixels, page.scan.spacing
    count = len(page.panes)
    share = (WIDTH - GAP * (count - 1)) / count
    width, height = layout.scan_size(
        pixels.shape, spacing, min(share, IMAGE_BOX if count > 1 else LONE_IMAGE_BOX)
    )
    extent = pixels.shape[1] * spacing[1] if spacing else None
    cells = []
    for pane in page.panes:
        draw: Callable[[], np.ndarray] = partial(_original, pixels, side)
        if pane.reading is not None and page.maps is not None:
            draw = partial(_overlay, pixels, pane.reading, page.maps, side)
        cells.append(
            [
                paragraph(pane.title, layout.CAPTION, bold=True),
                LazyImage(draw, width, height, extent),
                paragraph(pane.caption, layout.SMALL),
            ]
        )
    return row(cells, [share + GAP] * (count - 1) + [share])


def _original(pixels: np.ndarray, side: int) -> np.ndarray:
    return rendering.gray_image(layout.shrunk(pixels, side))


def _overlay(pixels: np.ndarray, reading: Reading, maps: Maps, side: int) -> np.ndarray:
    strength = layout.shrunk(reading.strength(maps.label, maps.settings.scale), side)
    return overlays.overlay(
        layout.shrunk(pixels, side), strength, maps.settings.opacity, maps.settings.threshold
    )


def _colour_scale(maps: Maps) -> Table:
    """The colour scale of the maps, drawn with their settings, and these settings in words."""
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (10, 1))
    gray = np.full_like(ramp, 0.25)

    def strip() -> np.ndarray:
        return overlays.overlay(gray, ramp, maps.settings.opacity, maps.settings.threshold)

    third = (WIDTH - 2 * GAP) / 3
    ends = row(
        [paragraph("no evidence", layout.SMALL), paragraph("strong evidence", layout.RIGHT)],
        [third / 2, third / 2],
    )
    text = paragraph(maps.words, layout.SMALL)
    return row([[Spacer(0, 4), LazyImage(strip, third, 9), ends], text], [third + GAP, WIDTH - third - GAP])


def _probabilities(page: ScanPage) -> Table:
    """The probabilities of each model, that of the predicted class in bold, and its track record."""
    header = ["Calibrated probability", *page.classes, "Track record for such predictions"]
    rows = [[paragraph(title, bold=True) for title in header]]
    for model in page.probabilities:
        numbers = [
            paragraph(probability, bold=position == model.predicted)
            for position, probability in enumerate(model.probabilities)
        ]
        rows.append([paragraph(model.model), *numbers, paragraph(model.record, layout.SMALL)])
    return table(rows, [120.0, *[76.0] * (len(page.classes) - 1), 100.0, 0.0])


def _models_page(page: ModelsPage) -> list[Flowable]:
    """Facts about the models, the meaning of the statuses, limits."""
    story: list[Flowable] = [Chapter("Models", "models"), paragraph("Models", layout.TITLE), Spacer(0, 6)]
    if page.models:
        rows = [[paragraph(title, bold=True) for title in ("Model", *page.models)]]
        rows += [[paragraph(cell, layout.FACT) for cell in (name, *values)] for name, values in page.facts]
        story.append(table(rows, [120.0, *[0.0] * len(page.models)]))
    half = (WIDTH - 2 * GAP) / 2
    statuses: list[Flowable] = [paragraph("Status", layout.HEADING)]
    for title, meaning in page.statuses:
        statuses += [row([paragraph(title, bold=True), paragraph(meaning)], [100, half - 100]), Spacer(0, 4)]
    limits = [
        paragraph("Limits", layout.HEADING),
        *(paragraph(limit, layout.ITEM) for limit in page.limits),
    ]
    return [*story, Spacer(0, 8), row([statuses, limits], [half + 2 * GAP, half])]


def _image_side(report: Report) -> int:
    """The most pixels per side of an image: fewer in a long report."""
    images = sum(len(page.panes) for page in report.pages)
    return int(np.clip((MOST_PIXELS / max(images, 1)) ** 0.5, SMALLEST_SIDE, LARGEST_SIDE))
