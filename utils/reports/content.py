"""Reports of scans that were read: what goes into one, its words, and the CSV. The PDF: utils.reports.pdf.

No Streamlit, no Keras. File names of scans are often patients' names: a report calls a scan by the neutral name that
the caller gave it, and names the file only where it is asked to.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from utils.cases.reviews import Review
from utils.cases.spreadsheet import safe_cell
from utils.datasets.protocols import PROTOCOLS
from utils.networks.cards import Card, NetworkUnavailable, load_card, reading_networks
from utils.paths import models_folder
from utils.reading import ood_detector
from utils.reading.conclusion import Referral, conclude
from utils.reading.worklist import Entry
from utils.results.records import Evaluation, load_evaluations
from utils.results.track_record import evaluation_of, trust_sentence
from utils.wording import CLASS_TITLES, value_with_interval

if TYPE_CHECKING:
    from utils.reading.reader import Reading

USE = "research and education only"
REVIEW_VERDICTS = {
    "agree": "The reviewer agrees.",
    "disagree": "The reviewer disagrees.",
    "unsure": "The reviewer is unsure.",
}
REFUSED_BUT_WISHED = (
    "This does not look like a brain MRI slice that the networks know. Their answers were asked for all the same; they "
    "mean little."
)


@dataclass(frozen=True)
class Settings:
    """How evidence is drawn, as in utils.evidence.overlays: `opacity` and `threshold` in 0..1 of full colour.

    `scale`: calibrated logits at full colour (`cards.evidence_scale`). `label`: the class whose evidence is shown;
    None for the one that the first network sees.
    """

    scale: float
    opacity: float = 0.8
    threshold: float = 0.0
    label: str | None = None


@dataclass(frozen=True)
class ReportedScan:
    """One scan of a report. `entry` of a volume: the slice in view is reported, and no other.

    `name` is what the report calls it ("Scan 1"). `answers_wished`: the user asked for the answers although the gate
    refused the scan.
    """

    name: str
    entry: Entry
    settings: Settings
    review: Review | None = None
    answers_wished: bool = False
    referral: Referral = field(default_factory=Referral)

    @property
    def answers_shown(self) -> bool:
        """Whether what the networks say may stand in the report."""
        return bool(self.entry.readings) and (self.entry.grade != "refused" or self.answers_wished)

    @property
    def shown_class(self) -> str:
        """The class whose evidence is drawn; the scan must have readings."""
        return self.settings.label or self.entry.readings[0].shown_class


@dataclass(frozen=True)
class ReportedNetwork:
    """The facts about one network: its card, and how it did on patients whom it never saw, where that was measured."""

    card: Card
    evaluation: Evaluation | None = None


def reported_networks(models: Path | None = None) -> list[ReportedNetwork]:
    """The app's networks with their evaluations; those without a usable card are left out."""
    models = models or models_folder()
    evaluations = load_evaluations(models / "evaluation", PROTOCOLS.values())
    networks = []
    for weights in reading_networks(models):
        try:
            card = load_card(weights)
        except NetworkUnavailable:
            continue
        networks.append(ReportedNetwork(card, evaluation_of(evaluations, card.name, card.version)))
    return networks


def session_csv(scans: Sequence[ReportedScan], created: datetime, file_names: bool = False) -> str:
    """One row a scan (RFC 4180). Encode it as "utf-8-sig": spreadsheets then know that it is UTF-8.

    created: with a time zone. Probabilities are calibrated. Cells that a spreadsheet would take for a formula begin
    with an apostrophe. What the networks say of a refused scan is left empty unless it was wished.
    """
    classes = {reading.network: reading.classes for scan in scans for reading in scan.entry.readings}
    columns = ["scan", *["file"] * file_names, "slice", "status", "grade", "flags", "reason"]
    for network, labels in classes.items():
        columns += [f"{network}_label", *(f"{network}_{label}" for label in labels), f"{network}_version"]
    columns += ["review_verdict", "review_class", "review_note", "created_utc", "use"]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    table.writeheader()
    for scan in scans:
        table.writerow({name: safe_cell(cell) for name, cell in _row(scan, created).items()})
    return text.getvalue()


def verdict(scan: ReportedScan) -> tuple[str, str]:
    """What the networks say together, as a headline, and how far that can be taken as read ("" where it can)."""
    entry = scan.entry
    if not entry.is_accepted:
        return "This file was not read", entry.reason or ""
    if not entry.readings:
        return "The networks have not read this scan", ""
    if not scan.answers_shown:
        return "Refused: no answer is shown", ood_detector.REFUSED
    conclusion = conclude(entry, scan.referral)
    if entry.grade == "ok":
        return conclusion.headline, " ".join(conclusion.remarks)
    first = ood_detector.UNUSUAL if entry.grade == "unusual" else REFUSED_BUT_WISHED
    return f"{entry.grade.capitalize()} scan. {conclusion.headline}", " ".join([first, *conclusion.remarks])


def trust(reading: Reading, networks: Sequence[ReportedNetwork]) -> str:
    """How often the very weights that read were right on unseen patients when it spoke like this."""
    measured = next((one.evaluation for one in networks if one.card.version == reading.version), None)
    return trust_sentence(measured, reading.label, reading.confidence)


def picture_facts(entry: Entry) -> str:
    """Format, size, pixel spacing and place in the volume of an accepted entry's scan."""
    scan = entry.scan
    assert scan is not None
    height, width = scan.shape
    facts = [scan.format, f"{width} x {height} pixels"]
    if scan.spacing:
        row, column = scan.spacing
        facts.append(f"pixels of {column:.3g} x {row:.3g} mm")
    if scan.slice is not None:
        facts.append(
            f"slice {scan.slice + 1} of {entry.slice_count}; the other slices are not in this report"
        )
    return ", ".join(facts)


def settings_in_words(scan: ReportedScan) -> str:
    """How the pictures of a scan with readings were drawn."""
    settings, title = scan.settings, CLASS_TITLES[scan.shown_class]
    hidden = (
        f"evidence weaker than {100 * settings.threshold:.0f} % of full colour is hidden"
        if settings.threshold
        else "no evidence is hidden"
    )
    words = (
        f"Shown: evidence for {title}. Method: Grad-CAM; opacity {100 * settings.opacity:.0f} %; {hidden}. One scale "
        f"for all classes and networks: full colour from {settings.scale:.2g} calibrated logits. A map tells what a "
        "network used, not what is true."
    )
    if scan.shown_class != "no_tumor" and all(reading.label == "no_tumor" for reading in scan.entry.readings):
        words += f" No tumour was named: the maps show what little speaks for {title}."
    return words


def notes(entry: Entry) -> list[str]:
    """What the reader of a scan should know about it: the gate's remarks and those about its file."""
    flags = {flag for reading in entry.readings for flag in reading.flags}
    remarks = [ood_detector.NOTES[flag] for flag in sorted(flags & ood_detector.NOTES.keys())]
    return [*remarks, *(entry.scan.notes if entry.scan else ())]


def review_in_words(review: Review | None) -> str:
    """Without the note."""
    if review is None:
        return "Not reviewed."
    words = REVIEW_VERDICTS[review.verdict]
    return f"{words} Right class: {CLASS_TITLES[review.right_class]}." if review.right_class else words


def network_facts(version: str, network: ReportedNetwork | None) -> dict[str, str]:
    """Name -> fact about the network with weights of this SHA-256; only that where its card is not at hand."""
    facts = network.card.facts if network else {}
    return {
        "Weights (SHA-256)": version,
        "Trained": f"{facts.get('date', 'date not known')}, protocol {facts.get('protocol', 'not known')}",
        "Calibration temperature": f"{facts['temperature']:.2f}" if facts else "not known",
        "Accuracy on unseen patients": accuracy_in_words(network.evaluation if network else None),
        "Licence of the weights": facts.get("licence", "not known"),
    }


def accuracy_in_words(evaluation: Evaluation | None) -> str:
    """Accuracy on the patient-disjoint test part, with its 95 % interval."""
    if evaluation is None:
        return "not yet measured"
    figures = evaluation.figures
    accuracy, interval = figures["accuracy"], figures.get("accuracy_interval")
    words = value_with_interval(accuracy, interval, label="95 % CI ")
    return f"{words} on {figures['n']} scans"


def _row(scan: ReportedScan, created: datetime) -> dict[str, str]:
    entry, review = scan.entry, scan.review
    place = entry.scan.slice if entry.scan else None
    row = {
        "scan": scan.name,
        "file": entry.name,
        "slice": "" if place is None else str(place + 1),
        "status": entry.status,
        "grade": entry.grade if entry.readings else "",
        "flags": " ".join(sorted({flag for reading in entry.readings for flag in reading.flags})),
        "reason": entry.reason or "",
        "created_utc": f"{created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "use": USE,
    }
    for reading in entry.readings:
        row[f"{reading.network}_version"] = reading.version
        if scan.answers_shown:
            row[f"{reading.network}_label"] = reading.label
            for label in reading.classes:
                row[f"{reading.network}_{label}"] = f"{reading.probability(label):.4f}"
    if review:
        row |= {
            "review_verdict": review.verdict,
            "review_class": review.right_class or "",
            "review_note": review.note,
        }
    return row
