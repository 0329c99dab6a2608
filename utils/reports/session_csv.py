"""The report of a session as a CSV table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

from utils.cases.spreadsheet import safe_cell
from utils.reports.reported import USE, ReportedScan

ACQUISITION = ("sequence", "sequence_origin", "plane", "plane_origin")


def session_csv(scans: Sequence[ReportedScan], created: datetime, file_names: bool = False) -> str:
    """One row per scan (RFC 4180). Encode it as "utf-8-sig", so that spreadsheet programs recognise UTF-8.

    created: with a time zone. Probabilities are calibrated. Cells that a spreadsheet program would take for a formula
    begin with an apostrophe. The results of a rejected scan are empty unless the user asked for them.
    """
    classes = {reading.network: reading.classes for scan in scans for reading in scan.entry.readings}
    columns = ["scan", *["file"] * file_names, "slice", *ACQUISITION, "status", "grade", "flags", "reason"]
    for network, labels in classes.items():
        columns += [f"{network}_label", *(f"{network}_{label}" for label in labels), f"{network}_version"]
    columns += [
        "review_verdict",
        "review_class",
        "review_note",
        "reviewer",
        "site_profile",
        "created_utc",
        "use",
    ]
    text = io.StringIO()
    table = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    table.writeheader()
    for scan in scans:
        table.writerow({name: safe_cell(cell) for name, cell in _row(scan, created).items()})
    return text.getvalue()


def _row(scan: ReportedScan, created: datetime) -> dict[str, str]:
    entry, review = scan.entry, scan.review
    position = entry.scan.slice if entry.scan else None
    row = {
        "scan": scan.name,
        "file": entry.name,
        "slice": "" if position is None else str(position + 1),
        **{name: getattr(scan.shown_acquisition, name) for name in ACQUISITION},
        "status": entry.status,
        "grade": entry.grade if entry.readings else "",
        "flags": " ".join(sorted({flag for reading in entry.readings for flag in reading.flags})),
        "reason": entry.reason or "",
        "site_profile": scan.referral.site_profile,
        "created_utc": f"{created.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "use": USE,
    }
    for reading in entry.readings:
        row[f"{reading.network}_version"] = reading.version
        if scan.has_results:
            row[f"{reading.network}_label"] = reading.label
            for label in reading.classes:
                row[f"{reading.network}_{label}"] = f"{reading.probability(label):.4f}"
    if review:
        row |= {
            "review_verdict": review.verdict,
            "review_class": review.right_class or "",
            "review_note": review.note,
            "reviewer": review.reviewer,
        }
    return row
