"""A report of scans that were read as a PDF: a page a scan, a summary before them, the networks after them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from reportlab.platypus import Flowable, PageBreak, Spacer, Table

from utils.evidence import overlays
from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import STATUSES
from utils.reports import content
from utils.reports import pdf_layout as drawing
from utils.reports.content import ReportedNetwork, ReportedScan
from utils.reports.pdf_layout import WIDTH, Chapter, Picture, paragraph, row, table
from utils.scans import rendering
from utils.wording import CLASS_TITLES, probability_in_percent

if TYPE_CHECKING:
    from utils.reading.reader import Reading

NAME = "Brain MRI reader: report"
DISCLAIMER = "Research and education only. Not a medical device: nothing here is a diagnosis."
GAP = 12.0  # points between pictures
PICTURE_BOX, LONE_PICTURE_BOX = 236.0, 340.0  # points a side of the square that a picture may fill
LARGEST_SIDE, SMALLEST_SIDE = 700, 400  # pixels of a picture, ...
MOST_PIXELS = 40e6  # ... so that all of them together stay below this, or are as small as they get
STATUS_WORDS = {
    "agree": "the networks give the same answer",
    "disagree": "the networks give different answers: take neither as read",
    "unsure": "the same answer, with a probability too low to rely on",
    "unusual": "the scan differs from those that the networks know: take their answers with caution",
    "waiting": "not read yet when this report was made",
    "refused": "no brain MRI slice that the networks know, or a file that cannot be read",
}
LIMITS = (
    "Four answers are all that the networks know: a metastasis, a bleed or an abscess is given one of these names.",
    "They learned from T1, T1 with contrast, T2 and FLAIR: on other sequences their answers mean little. No healthy "
    "brain that they learned from was known to have contrast.",
    "They see one slice at a time: no volume, no history, no other sequence.",
    "Probabilities are calibrated on the collections that they learned from; scans from elsewhere can make them "
    "overconfident.",
    "They do not tell left from right.",
    "Evidence maps are coarse and tell what a network used; they outline no tumour.",
)
UNPRINTABLE_WORDS = (
    f"({drawing.UNPRINTABLE} stands for a character that the font lacks; the CSV has the note as typed.)"
)
_ONE_AT_A_TIME = threading.Lock()  # ReportLab does not promise to work in two threads at once


def report_pdf(
    scans: Sequence[ReportedScan],
    networks: Sequence[ReportedNetwork],
    created: datetime,
    file_names: bool = False,
) -> bytes:
    """A4 pages on their side: one a scan, before them a summary where there are several, last the networks.

    created: with a time zone. The same arguments give the same bytes. Of a volume the slice in view is reported; files
    that were not read stand in the summary alone.
    """
    with _ONE_AT_A_TIME:
        story = _summary(scans, file_names) if len(scans) > 1 else []
        side = _picture_side(scans)
        for number, scan in enumerate(scans):
            if scan.entry.is_accepted or len(scans) == 1:
                story += [*_scan_page(scan, networks, f"scan-{number}", side, file_names), PageBreak()]
        story += _networks_page(scans, networks)
        return drawing.document(story, NAME, DISCLAIMER, created)


def _summary(scans: Sequence[ReportedScan], file_names: bool) -> list[Flowable]:
    """How many scans there are of each kind, and a row for each, which leads to its page."""
    counts = Counter(scan.entry.status for scan in scans)
    counted = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    titles = list(dict.fromkeys(reading.title for scan in scans for reading in scan.entry.readings)) or [""]
    header = ["Scan", *["File"] * file_names, "Networks", *titles, "Review"]
    widths = [90.0, *[150.0] * file_names, 70.0, *[0.0] * len(titles), 160.0]
    first = header.index("Networks") + 1
    rows, extra = [[paragraph(title, bold=True) for title in header]], []
    for number, scan in enumerate(scans):
        entry = scan.entry
        if entry.is_accepted:
            said = {
                reading.title: reading_in_words(reading) for reading in entry.readings if scan.answers_shown
            }
            answers = [said.get(title, "not shown") for title in titles]
        else:
            answers = [f"Not read. {entry.reason}", *[""] * (len(titles) - 1)]
            extra.append(("SPAN", (first, number + 1), (first + len(titles) - 1, number + 1)))
        review = content.review_in_words(scan.review) if scan.review else ""
        cells = [*[entry.name] * file_names, entry.status, *answers, review]
        link = f"scan-{number}" if entry.is_accepted else ""
        rows.append([paragraph(scan.name, link=link), *(paragraph(cell) for cell in cells)])
    return [
        Chapter("Summary", "summary"),
        paragraph(f"{NAME} of a session", drawing.TITLE),
        paragraph(f"{len(scans)} scans: {counted}."),
        Spacer(0, 10),
        table(rows, widths, *extra),
        PageBreak(),
    ]


def _scan_page(
    scan: ReportedScan, networks: Sequence[ReportedNetwork], anchor: str, side: int, file_names: bool
) -> list[Flowable]:
    entry = scan.entry
    facts = [NAME, *[f"File: {entry.name}"] * file_names]
    if entry.is_accepted:
        facts.append(content.picture_facts(entry))
    right = [paragraph(fact, drawing.RIGHT) for fact in facts]
    story: list[Flowable] = [
        Chapter(scan.name, anchor),
        row([paragraph(scan.name, drawing.TITLE), right], [WIDTH / 3, WIDTH * 2 / 3]),
        Spacer(0, 6),
        _verdict(scan),
    ]
    if entry.is_accepted:
        story += [Spacer(0, 8), _pictures(scan, side)]
    if scan.answers_shown:
        story += [Spacer(0, 6), _scale(scan), Spacer(0, 6), _probabilities(scan, networks)]
    review = paragraph(content.review_in_words(scan.review))
    story += [Spacer(0, 8), row([paragraph("Review", bold=True), review], [60, WIDTH - 60])]
    note = scan.review.note if scan.review else ""
    if note:
        story.append(paragraph(note, drawing.NOTE))
        if drawing.UNPRINTABLE in drawing.printable(note):
            story.append(paragraph(UNPRINTABLE_WORDS, drawing.NOTE))
    return story


def _verdict(scan: ReportedScan) -> Table:
    """The headline and all that should be known beside it, in a box, tinted where it calls for caution."""
    headline, caution = content.verdict(scan)
    words = [paragraph(headline, drawing.VERDICT)]
    words += [paragraph(remark) for remark in (caution, *content.notes(scan.entry)) if remark]
    box = Table([[words]], colWidths=[WIDTH])
    box.setStyle(
        [
            ("BACKGROUND", (0, 0), (-1, -1), drawing.CAUTION if caution else drawing.CALM),
            ("LEFTPADDING", (0, 0), (-1, -1), 10),
            ("TOPPADDING", (0, 0), (-1, -1), 5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 7),
        ]
    )
    return box


def _pictures(scan: ReportedScan, side: int) -> Table:
    """The plain scan and, where the answers are shown, every network's evidence over it, all of one size."""
    assert scan.entry.scan is not None
    pixels, spacing = scan.entry.scan.pixels, scan.entry.scan.spacing
    readings = scan.entry.readings if scan.answers_shown else ()
    count = 1 + len(readings)
    share = (WIDTH - GAP * (count - 1)) / count
    box = PICTURE_BOX if readings else LONE_PICTURE_BOX
    width, height = drawing.scan_size(pixels.shape, spacing, min(share, box))
    extent = pixels.shape[1] * spacing[1] if spacing else None

    def plain() -> np.ndarray:
        return rendering.gray_image(drawing.shrunk(pixels, side))

    def evidence(reading: Reading) -> np.ndarray:
        strength = drawing.shrunk(reading.strength(scan.shown_class, scan.settings.scale), side)
        return overlays.overlay(
            drawing.shrunk(pixels, side), strength, scan.settings.opacity, scan.settings.threshold
        )

    def cell(title: str, make: Callable[[], np.ndarray], caption: str) -> list[Flowable]:
        picture = Picture(make, width, height, extent)
        return [paragraph(title, drawing.CAPTION, bold=True), picture, paragraph(caption, drawing.SMALL)]

    shown = CLASS_TITLES[scan.shown_class] if readings else ""
    cells = [
        cell("The scan", plain, "As it was read" + ("" if spacing else "; its file does not tell the scale"))
    ]
    for reading in readings:
        title = f"{reading.title}: {reading_in_words(reading)}"
        cells.append(cell(title, partial(evidence, reading), f"Evidence of {reading.title} for {shown}"))
    return row(cells, [share + GAP] * (count - 1) + [share])


def _scale(scan: ReportedScan) -> Table:
    """The colours of the pictures, drawn with their own settings, and these settings in words."""
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (10, 1))
    gray = np.full_like(ramp, 0.25)

    def strip() -> np.ndarray:
        return overlays.overlay(gray, ramp, scan.settings.opacity, scan.settings.threshold)

    third = (WIDTH - 2 * GAP) / 3
    ends = row(
        [paragraph("no evidence", drawing.SMALL), paragraph("strong evidence", drawing.RIGHT)],
        [third / 2, third / 2],
    )
    words = paragraph(content.settings_in_words(scan), drawing.SMALL)
    return row([[Spacer(0, 4), Picture(strip, third, 9), ends], words], [third + GAP, WIDTH - third - GAP])


def _probabilities(scan: ReportedScan, networks: Sequence[ReportedNetwork]) -> Table:
    """Each network's calibrated probabilities, its answer in bold, and how often it was right when it spoke so."""
    readings = scan.entry.readings
    classes = readings[0].classes
    titles = [CLASS_TITLES[label] for label in classes]
    header = ["Calibrated probability", *titles, "How often such an answer was right"]
    rows = [[paragraph(title, bold=True) for title in header]]
    for reading in readings:
        numbers = [
            paragraph(probability_in_percent(reading.probability(label)), bold=label == reading.label)
            for label in classes
        ]
        trust = paragraph(content.trust(reading, networks), drawing.SMALL)
        rows.append([paragraph(reading.title), *numbers, trust])
    return table(rows, [120.0, *[76.0] * len(classes[:-1]), 100.0, 0.0])


def _networks_page(scans: Sequence[ReportedScan], networks: Sequence[ReportedNetwork]) -> list[Flowable]:
    """What is known of the networks that read, what the words mean, what the networks cannot do."""
    known = {network.card.version: network for network in networks}
    read = {reading.version: reading.title for scan in scans for reading in scan.entry.readings}
    read = read or {version: network.card.title for version, network in known.items()}
    story: list[Flowable] = [
        Chapter("Networks", "networks"),
        paragraph("The networks", drawing.TITLE),
        Spacer(0, 6),
    ]
    if read:
        facts = [content.network_facts(version, known.get(version)) for version in read]
        rows = [[paragraph(title, bold=True) for title in ("Network", *read.values())]]
        for name in facts[0]:
            rows.append([paragraph(words, drawing.FACT) for words in (name, *(one[name] for one in facts))])
        story.append(table(rows, [120.0, *[0.0] * len(read)]))
    half = (WIDTH - 2 * GAP) / 2
    words = [
        part
        for word in STATUSES
        for part in (
            row([paragraph(word, bold=True), paragraph(STATUS_WORDS[word])], [60, half - 60]),
            Spacer(0, 4),
        )
    ]
    words_and_limits = [
        [paragraph("Words of this report", drawing.HEADING), *words],
        [paragraph("Limits", drawing.HEADING), *(paragraph(limit, drawing.ITEM) for limit in LIMITS)],
    ]
    return [*story, Spacer(0, 8), row(words_and_limits, [half + 2 * GAP, half])]


def _picture_side(scans: Sequence[ReportedScan]) -> int:
    """The most pixels a side that a picture may have: fewer in a long report."""
    pictures = sum(1 + len(scan.entry.readings) for scan in scans)
    return int(np.clip((MOST_PIXELS / max(pictures, 1)) ** 0.5, SMALLEST_SIDE, LARGEST_SIDE))
