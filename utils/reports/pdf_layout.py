"""Layout of a PDF report: fonts, styles, tables, images, page numbers."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from textwrap import shorten
from typing import Any
from xml.sax.saxutils import escape

import cv2
import numpy as np
from PIL import Image
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph, Table

rl_config.useA85 = 0  # images as bytes: ASCII would be a quarter larger

PAGE = landscape(A4)  # points, as all lengths on paper here
MARGIN, FOOT = 30.0, 42.0
WIDTH = PAGE[0] - 2 * MARGIN
INK, FAINT, RULE = HexColor("#1a2230"), HexColor("#5b6472"), HexColor("#c9ced6")
CALM, CAUTION = HexColor("#eef1f5"), HexColor("#fbf0d9")
UNPRINTABLE = "◊"  # stands for a character that the font lacks
BAR_HEIGHT = 14.0  # for the scale bar below an image

# Bitstream Vera comes with ReportLab and is embedded: Western European letters, no fonts of the system needed.
pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
pdfmetrics.registerFont(TTFont("Vera-Bold", "VeraBd.ttf"))
pdfmetrics.registerFontFamily("Vera", "Vera", "Vera-Bold", "Vera", "Vera-Bold")
_PRINTABLE = pdfmetrics.getFont("Vera").face.charToGlyph  # type: ignore[attr-defined]

BODY = ParagraphStyle("body", fontName="Vera", fontSize=8.5, leading=11.5, textColor=INK)
SMALL = ParagraphStyle("small", BODY, fontSize=7.5, leading=10, textColor=FAINT)
CAPTION = ParagraphStyle("caption", BODY, leading=14)
ITEM = ParagraphStyle("item", BODY, spaceAfter=4)
NOTE = ParagraphStyle("note", BODY, leftIndent=60)
FACT = ParagraphStyle("fact", BODY, fontSize=7.5)
RIGHT = ParagraphStyle("right", SMALL, alignment=2)
TITLE = ParagraphStyle("title", BODY, fontName="Vera-Bold", fontSize=17, leading=21)
HEADING = ParagraphStyle(
    "heading", BODY, fontName="Vera-Bold", fontSize=10, leading=14, spaceBefore=8, spaceAfter=4
)
VERDICT = ParagraphStyle("verdict", BODY, fontName="Vera-Bold", fontSize=12, leading=16)


def printable(text: str) -> str:
    """The text with UNPRINTABLE in place of every character that the font lacks; line ends stay."""
    composed = unicodedata.normalize("NFC", text).replace("\r\n", "\n")
    return "".join(char if char == "\n" else _glyph(char) for char in composed)


def paragraph(text: str, style: ParagraphStyle = BODY, bold: bool = False, link: str = "") -> Paragraph:
    """A paragraph of plain text, without markup. `link`: the key of the Chapter that it leads to."""
    words = escape(printable(text)).replace("\n", "<br/>")
    words = f"<b>{words}</b>" if bold else words
    return Paragraph(f'<a href="#{link}">{words}</a>' if link else words, style)


def row(cells: Sequence[Any], widths: Sequence[float]) -> Table:
    """Cells side by side, aligned at the top, without padding."""
    result = Table([cells], colWidths=list(widths), hAlign="LEFT")
    result.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            *((f"{side}PADDING", (0, 0), (-1, -1), 0) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM")),
        ]
    )
    return result


def table(rows: list[list[Paragraph]], widths: Sequence[float], *extra: tuple) -> Table:
    """A table over the full width. The header repeats on every page; columns of width 0 share the remaining width."""
    share = (WIDTH - sum(widths)) / max(list(widths).count(0.0), 1)
    result = Table(rows, colWidths=[width or share for width in widths], repeatRows=1)
    result.setStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ("LINEBELOW", (0, 0), (-1, -1), 0.5, RULE),
            *extra,
        ]
    )
    return result


def scan_size(shape: tuple[int, int], spacing: tuple[float, float] | None, box: float) -> tuple[float, float]:
    """(width, height) in points of a scan of (H, W) pixels that fills a square of `box` points.

    spacing: (row, column) in mm; where it is known, the proportions are the anatomical ones.
    """
    row, column = spacing or (1.0, 1.0)
    height, width = shape[0] * row, shape[1] * column
    return box * width / max(height, width), box * height / max(height, width)


def bar_length(extent: float) -> float:
    """Length of a scale bar: the largest of 1, 2, 5, 10, 20, ... (mm) that fits a third of `extent` (mm)."""
    step = 10.0 ** np.floor(np.log10(extent / 3))
    return float(max((factor * step for factor in (2, 5) if factor * step <= extent / 3), default=step))


def shrunk(image: np.ndarray, most: int) -> np.ndarray:
    """An (H, W) or (H, W, 3) image or map, reduced to at most `most` pixels per side."""
    excess = max(image.shape[:2]) / most
    if excess <= 1:
        return image
    height, width = (max(round(side / excess), 1) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


class LazyImage(Flowable):
    """An image that is computed when its page is drawn, so that a long report never holds all of them.

    make: returns (H, W) uint8, stored without loss, or (H, W, 3) uint8 RGB, stored as high-quality JPEG (lossless
    colour would make a report several times as large). width, height: points on paper. extent: width of the image in
    mm, for a scale bar below it; None for no bar.
    """

    def __init__(
        self, make: Callable[[], np.ndarray], width: float, height: float, extent: float | None = None
    ) -> None:
        super().__init__()
        self.make, self.extent = make, extent
        self.image_size = (width, height)
        self.foot = BAR_HEIGHT if extent else 3.0

    def wrap(self, *available: float) -> tuple[float, float]:
        width, height = self.image_size
        return width, height + self.foot

    def draw(self) -> None:
        width, height = self.image_size
        self.canv.drawImage(_image(self.make()), 0, self.foot, width, height)
        if self.extent:
            self._draw_bar(self.extent)

    def _draw_bar(self, extent: float) -> None:
        length = bar_length(extent)
        end = self.image_size[0] * length / extent
        self.canv.setStrokeColor(INK)
        self.canv.setLineWidth(1)
        self.canv.lines([(0, 5, end, 5), (0, 2.5, 0, 7.5), (end, 2.5, end, 7.5)])
        self.canv.setFillColor(INK)
        self.canv.setFont("Vera", 7.5)
        self.canv.drawString(end + 4, 2.5, f"{length:g} mm")


class Chapter(Flowable):
    """The beginning of a part of the report, for links, the table of contents and the footers of its pages."""

    def __init__(self, title: str, key: str) -> None:
        super().__init__()
        self.title = shorten(printable(title), 40, placeholder=" ...")  # it must fit into a footer
        self.key = key

    def wrap(self, *available: float) -> tuple[float, float]:
        return 0, 0

    def draw(self) -> None:
        self.canv.bookmarkPage(self.key)
        self.canv.addOutlineEntry(self.title, self.key)
        self.canv.chapter = self.title


class _PageTotal(Flowable):
    """The last element of a document. It fills the number of pages into the footers, which are already drawn."""

    def wrap(self, *available: float) -> tuple[float, float]:
        return 0, 0

    def draw(self) -> None:
        total = self.canv.getPageNumber()
        self.canv.beginForm("page-total")
        self.canv.setFont(SMALL.fontName, SMALL.fontSize)
        self.canv.setFillColor(FAINT)
        self.canv.drawString(0, 0, str(total))
        self.canv.endForm()


def document(story: list[Flowable], title: str, use: str, created: datetime) -> bytes:
    """The PDF of a story that begins with a Chapter. The footers show `use`, chapter, time and page number."""
    file = io.BytesIO()
    template = BaseDocTemplate(
        file, pagesize=PAGE, title=title, subject=use, author=title, creator=title, lang="en-GB", invariant=1
    )
    frame = Frame(MARGIN, FOOT, WIDTH, PAGE[1] - MARGIN - FOOT, 0, 0, 0, 0)
    footer = partial(_draw_footer, use=use, created=created.astimezone(UTC))
    template.addPageTemplates(PageTemplate(frames=[frame], onPageEnd=footer))
    template.build([*story, _PageTotal()])
    return file.getvalue()


def _draw_footer(canvas: Any, template: BaseDocTemplate, use: str, created: datetime) -> None:
    canvas.setDateFormatter(lambda *_: f"D:{created:%Y%m%d%H%M%S}Z")
    right, y = MARGIN + WIDTH - 14, FOOT - 22
    canvas.saveState()
    canvas.setStrokeColor(RULE)
    canvas.setLineWidth(0.5)
    canvas.line(MARGIN, y + 12, MARGIN + WIDTH, y + 12)
    canvas.setFillColor(INK)
    canvas.setFont("Vera-Bold", SMALL.fontSize)
    canvas.drawString(MARGIN, y, use)
    canvas.setFillColor(FAINT)
    canvas.setFont(SMALL.fontName, SMALL.fontSize)
    words = f"{canvas.chapter}   |   {created:%Y-%m-%d %H:%M} UTC   |   Page {canvas.getPageNumber()} of "
    canvas.drawRightString(right, y, words)
    canvas.translate(right, y)
    canvas.doForm("page-total")
    canvas.restoreState()


def _glyph(char: str) -> str:
    if char.isspace():
        return " "
    return char if char.isprintable() and ord(char) in _PRINTABLE else UNPRINTABLE


def _image(image: np.ndarray) -> ImageReader:
    if image.ndim == 2:
        return ImageReader(Image.fromarray(image))
    options = [
        cv2.IMWRITE_JPEG_QUALITY, 95,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]  # fmt: skip
    return ImageReader(io.BytesIO(cv2.imencode(".jpg", image[..., ::-1], options)[1].tobytes()))
