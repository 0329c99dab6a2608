"""The sentences of a report: headline and cautions of a scan, image facts, settings, reviews, facts about models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from utils.cases.reviews import Review
from utils.reading import ood_detector
from utils.reading.conclusion import conclude, lesion_in_words, tumor_in_words
from utils.reading.worklist import NOT_ANALYSED, Entry
from utils.reports.reported import ReportedNetwork, ReportedScan
from utils.wording import CLASS_TITLES, LABEL_TITLES, percent, value_with_interval

if TYPE_CHECKING:
    from utils.results.records import Evaluation

REVIEW_VERDICTS = {
    "agree": "The reviewer agrees.",
    "disagree": "The reviewer disagrees.",
    "unsure": "The reviewer is unsure.",
}
STATUS_MEANINGS = {
    "disagree": "The models predict different classes; review manually.",
    "unusual": "Unusual scan: it differs from the training data; interpret the results with caution.",
    "unsure": "The models predict the same class, with a probability below the referral threshold.",
    "agree": "The models predict the same class.",
    "waiting": "Not yet analysed when this report was made.",
    "refused": "Not a brain MRI slice like the training data, or a file that cannot be read.",
}
LIMITS = (
    "The output classes are glioma, meningioma, pituitary tumour and no tumour. A metastasis, haemorrhage or abscess "
    "is assigned to one of them.",
    "The models were trained on T1, contrast-enhanced T1, T2 and FLAIR; results on other sequences are unreliable. No "
    "normal training scan is known to be contrast-enhanced.",
    "Each slice is analysed alone, without the clinical history. Only the patient-level answer of a stack combines its "
    "slices and the series of its study; it detects tumours, and its tumour type is not validated.",
    "Probabilities are calibrated on the training collections and can be overconfident on scans from other sites.",
    "The side of a lesion (left or right) is that of the orientation in DICOM and NIfTI files, which was not checked. "
    "Without one, locations are those on the image.",
    "Saliency maps are coarse. They show what a model used; they do not segment the tumour.",
)


def verdict(scan: ReportedScan) -> tuple[str, tuple[str, ...]]:
    """The headline of a scan's page, and the reasons for caution."""
    entry = scan.entry
    if not entry.is_accepted:
        return NOT_ANALYSED, (entry.reason or "",)
    if not entry.readings:
        return "Not yet analysed", ()
    if not scan.has_results:
        return "Rejected, no result shown", (ood_detector.REFUSED,)
    conclusion = conclude(entry, scan.referral)
    if entry.grade == "ok":
        return conclusion.headline, conclusion.remarks
    prefix, warning = (
        ("Unusual scan", ood_detector.UNUSUAL)
        if entry.grade == "unusual"
        else ("Rejected scan", ood_detector.REFUSED_BUT_SHOWN)
    )
    return f"{prefix}. {conclusion.headline}", (warning, *conclusion.remarks)


def findings(scan: ReportedScan) -> tuple[str, ...]:
    """The patient-level answer of a volume; of the slice the probability of any tumour and the outlined lesion.

    None without results.
    """
    if not scan.has_results:
        return ()
    tumor = f"Probability of any tumour: {tumor_in_words(scan.entry)}."
    slice_words = "Of this slice:" if scan.study else ""
    return tuple(filter(None, (*scan.study, slice_words, tumor, lesion_in_words(scan.entry))))


def settings_in_words(scan: ReportedScan) -> str:
    """How the saliency maps of a scan with readings are drawn."""
    settings, title = scan.settings, CLASS_TITLES[scan.shown_class]
    threshold = (
        f"display threshold {percent(settings.threshold)} of full colour"
        if settings.threshold
        else "no display threshold"
    )
    words = (
        f"Saliency maps for class: {title}. Method: Grad-CAM; opacity {percent(settings.opacity)}; {threshold}. One "
        f"colour scale for all classes and models: full colour from {settings.scale:.2g} calibrated logits. A map "
        "shows what a model used, not where a tumour is."
    )
    if scan.shown_class != "no_tumor" and all(reading.label == "no_tumor" for reading in scan.entry.readings):
        words += f" No tumour is predicted: the maps show the weak evidence for {title}."
    return words


def review_in_words(review: Review | None) -> str:
    """The verdict and the correct label, without the comment."""
    if review is None:
        return "Not reviewed."
    words = REVIEW_VERDICTS[review.verdict]
    if review.verdict == "disagree":
        label = LABEL_TITLES[review.right_class] if review.right_class else "not given"
        words += f" Correct label: {label}."
    return f"{words} Reviewed by {review.reviewer}." if review.reviewer else words


def network_facts(version: str, network: ReportedNetwork | None) -> dict[str, str]:
    """Name -> fact about the network with weights of this SHA-256; the others are unknown without its card."""
    card = network.card if network else None
    date, protocol = (card.date, card.protocol) if card else ("", "")
    return {
        "Weights (SHA-256)": version,
        "Trained": f"{date or 'date unknown'}, protocol {protocol or 'unknown'}",
        "Calibration temperature": f"{card.temperature:.2f}" if card else "unknown",
        "Accuracy on held-out patients": accuracy_in_words(network.evaluation if network else None),
        "Licence of the weights": (card.licence if card else "") or "unknown",
    }


def accuracy_in_words(evaluation: Evaluation | None) -> str:
    """Accuracy on the test set of held-out patients, with its 95 % CI."""
    if evaluation is None:
        return "not yet measured"
    record = evaluation.record
    accuracy = value_with_interval(record.accuracy, record.interval("accuracy"), label="95 % CI ")
    return f"{accuracy} on {record.n} scans"


def image_facts(reported: ReportedScan) -> tuple[str, ...]:
    """Format, size, pixel spacing and position in the volume, as one line, then sequence and plane; none of a rejected
    file."""
    entry = reported.entry
    scan = entry.scan
    if scan is None:
        return ()
    height, width = scan.shape
    facts = [scan.format, f"{width} x {height} pixels"]
    if scan.spacing:
        row, column = scan.spacing
        facts.append(f"pixel spacing {column:.3g} x {row:.3g} mm")
    if scan.slice is not None:
        facts.append(f"slice {scan.slice + 1} of {entry.slice_count}; other slices are not in this report")
    return ", ".join(facts), reported.shown_acquisition.in_words


def site_profile(scan: ReportedScan) -> tuple[str, ...]:
    """With which site profile the answer was given."""
    title = scan.referral.site_profile
    return (f"Site profile: {title}.",) if title and scan.has_results else ()


def notes(entry: Entry) -> tuple[str, ...]:
    """Remarks of the out-of-distribution detectors and about the file."""
    flags = {flag for reading in entry.readings for flag in reading.flags}
    remarks = [ood_detector.NOTES[flag] for flag in sorted(flags & ood_detector.NOTES.keys())]
    return (*remarks, *(entry.scan.notes if entry.scan else ()))
