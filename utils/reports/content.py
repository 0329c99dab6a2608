"""The content of a PDF report as frozen values. utils.reports.pdf draws it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import NOT_ANALYSED, STATUS_TITLES, STATUSES
from utils.reports import words
from utils.reports.reported import ReportedNetwork, ReportedScan, Settings
from utils.results.track_record import trust_sentence
from utils.wording import CLASS_TITLES, counted, probability_in_percent

if TYPE_CHECKING:
    from utils.reading.reader import Reading
    from utils.scans.scan import Scan


@dataclass(frozen=True)
class SummaryRow:
    """One scan of the summary. results: one per model, empty where `reason` says why the file was rejected.

    key: of the scan's page; empty where it has none.
    """

    name: str
    file: str
    status: str
    results: tuple[str, ...]
    reason: str
    review: str
    key: str


@dataclass(frozen=True)
class Summary:
    """The first page of a report on several scans. models: titles of the columns of results."""

    counts: str
    models: tuple[str, ...]
    rows: tuple[SummaryRow, ...]


@dataclass(frozen=True)
class Pane:
    """One image of a page: the scan, with the saliency map of a reading where there is one."""

    title: str
    caption: str
    reading: Reading | None = None


@dataclass(frozen=True)
class Maps:
    """How the saliency maps of a page are drawn, also in words."""

    label: str
    settings: Settings
    words: str


@dataclass(frozen=True)
class ProbabilityRow:
    """The calibrated probabilities of one model. predicted: the position of its class; record: its track record."""

    model: str
    probabilities: tuple[str, ...]
    predicted: int
    record: str


@dataclass(frozen=True)
class ScanPage:
    """The page of one scan.

    remarks: reasons for caution, empty where there are none. findings: probability of a tumour, and
    the outlined lesion. classes: titles of the columns of `probabilities`. scan is None where the file was rejected,
    `maps` where no results are shown.
    """

    name: str
    key: str
    facts: tuple[str, ...]
    headline: str
    remarks: tuple[str, ...]
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    scan: Scan | None
    panes: tuple[Pane, ...]
    maps: Maps | None
    classes: tuple[str, ...]
    probabilities: tuple[ProbabilityRow, ...]
    review: str
    comment: str


@dataclass(frozen=True)
class ModelsPage:
    """The last page. facts: name of a fact and its value for each of `models`; statuses: title and meaning."""

    models: tuple[str, ...]
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    statuses: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The content of a whole report. A report on one scan has no summary."""

    summary: Summary | None
    pages: tuple[ScanPage, ...]
    models: ModelsPage


def build_report(
    scans: Sequence[ReportedScan], networks: Sequence[ReportedNetwork], file_names: bool = False
) -> Report:
    """The content of a report. Rejected files are in the summary only, except in a report on a single file."""
    pages = [
        build_page(scan, networks, _key(number), file_names)
        for number, scan in enumerate(scans)
        if scan.entry.is_accepted or len(scans) == 1
    ]
    summary = build_summary(scans, file_names) if len(scans) > 1 else None
    return Report(summary, tuple(pages), build_models_page(scans, networks))


def build_summary(scans: Sequence[ReportedScan], file_names: bool = False) -> Summary:
    """The number of scans of each status, and a row for each scan."""
    counts = Counter(scan.entry.status for scan in scans)
    statuses = ", ".join(f"{counts[name]} {STATUS_TITLES[name].lower()}" for name in STATUSES if counts[name])
    models = tuple(dict.fromkeys(reading.title for scan in scans for reading in scan.entry.readings))
    rows = []
    for number, scan in enumerate(scans):
        entry = scan.entry
        results = {reading.title: reading_in_words(reading) for reading in entry.readings if scan.has_results}
        rows.append(
            SummaryRow(
                name=scan.name,
                file=entry.name if file_names else "",
                status=entry.status_title,
                results=tuple(results.get(model, "not shown") for model in models)
                if entry.is_accepted
                else (),
                reason="" if entry.is_accepted else entry.reason or NOT_ANALYSED,
                review=words.review_in_words(scan.review) if scan.review else "",
                key=_key(number) if entry.is_accepted else "",
            )
        )
    return Summary(f"{counted(len(scans), 'scan')}: {statuses}.", models, tuple(rows))


def build_page(
    scan: ReportedScan, networks: Sequence[ReportedNetwork], key: str, file_names: bool = False
) -> ScanPage:
    """The page of one scan."""
    entry = scan.entry
    headline, remarks = words.verdict(scan)
    readings = entry.readings if scan.has_results else ()
    return ScanPage(
        name=scan.name,
        key=key,
        facts=(*[f"File: {entry.name}"] * file_names, *words.image_facts(scan)),
        headline=headline,
        remarks=remarks,
        findings=words.findings(scan),
        notes=(*words.site_profile(scan), *words.notes(entry)),
        scan=entry.scan,
        panes=_panes(scan),
        maps=Maps(scan.shown_class, scan.settings, words.settings_in_words(scan)) if readings else None,
        classes=tuple(CLASS_TITLES[label] for label in readings[0].classes) if readings else (),
        probabilities=tuple(_probability_row(reading, networks) for reading in readings),
        review=words.review_in_words(scan.review),
        comment=scan.review.note if scan.review else "",
    )


def build_models_page(scans: Sequence[ReportedScan], networks: Sequence[ReportedNetwork]) -> ModelsPage:
    """The facts about the models that analysed these scans, or about all where none did; statuses and limits."""
    by_version = {network.card.version: network for network in networks}
    titles = {reading.version: reading.title for scan in scans for reading in scan.entry.readings}
    titles = titles or {version: network.card.title for version, network in by_version.items()}
    facts = [words.network_facts(version, by_version.get(version)) for version in titles]
    rows = [(name, tuple(values[name] for values in facts)) for name in facts[0]] if facts else []
    statuses = tuple((STATUS_TITLES[status], words.STATUS_MEANINGS[status]) for status in STATUSES)
    return ModelsPage(tuple(titles.values()), tuple(rows), statuses, words.LIMITS)


def _panes(scan: ReportedScan) -> tuple[Pane, ...]:
    if scan.entry.scan is None:
        return ()
    caption = "" if scan.entry.scan.spacing else "Scale unknown: no pixel spacing in the file"
    panes = [Pane("Original image", caption)]
    if scan.has_results:
        for_class = f"Saliency map for class: {CLASS_TITLES[scan.shown_class]}"
        panes += [
            Pane(f"{reading.title}: {reading_in_words(reading)}", for_class, reading)
            for reading in scan.entry.readings
        ]
    return tuple(panes)


def _probability_row(reading: Reading, networks: Sequence[ReportedNetwork]) -> ProbabilityRow:
    """The track record is that of the very weights that gave the reading."""
    evaluation = next(
        (network.evaluation for network in networks if network.card.version == reading.version), None
    )
    return ProbabilityRow(
        reading.title,
        tuple(probability_in_percent(reading.probability(label)) for label in reading.classes),
        reading.classes.index(reading.label),
        trust_sentence(evaluation, reading.label, reading.confidence),
    )


def _key(number: int) -> str:
    return f"scan-{number}"
