"""What a report contains: results with their cautions, measured accuracy, file names on request only."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from pypdf import PdfReader

from tests.reports.examples import CREATED, DRAWN, SECRET, VERSIONS, page_of, pages_of, refused_file, rows_of
from utils.reading import ood_detector
from utils.reports.pdf import report_pdf
from utils.reports.reported import ReportedScan, reported_networks
from utils.reports.session_csv import session_csv
from utils.reports.words import accuracy_in_words, network_facts, verdict
from utils.wording import CLASS_TITLES


def test_figures_of_other_weights_are_not_shown(entry_with, networks) -> None:
    trained_again = [
        replace(network, card=network.card.model_copy(update={"weights_sha256": "0"})) for network in networks
    ]
    page, last = pages_of(report_pdf([ReportedScan("Scan 1", entry_with(), DRAWN)], trained_again, CREATED))
    assert "PPV for" not in page and "92.5 %" not in last and VERSIONS["cnn"] in last
    assert network_facts("0", trained_again[0])["Accuracy on held-out patients"].startswith("92.5 %")


def test_answer_for_the_patient_stands_before_that_of_the_slice(entry_with, networks) -> None:
    answer = ("Tumour likely (97 %), favours glioma.", "Outlined volume 2.0 ml on 3 slices.")
    page = page_of(ReportedScan("Scan 1", entry_with(), DRAWN, study=answer), networks)
    assert f"{' '.join(answer)} Of this slice: Probability of any tumour" in page
    assert "Of this slice" not in page_of(ReportedScan("Scan 1", entry_with(), DRAWN), networks)


@pytest.mark.parametrize(
    ("labels", "grade", "flags", "words"),
    [
        (("no_tumor", "no_tumor"), "ok", (), "No tumour, both models agree (85 %)"),
        (
            ("glioma", "pituitary"),
            "ok",
            (),
            "Indeterminate - review manually: the models disagree Discordant: CNN: glioma, VGG16: pituitary tumour.",
        ),
        (
            ("glioma", "glioma"),
            "ok",
            ("unsure",),
            "Indeterminate - review manually: favours glioma Low confidence: CNN and VGG16 below their referral",
        ),
        (
            ("glioma", "glioma"),
            "unusual",
            ("unusual",),
            "Unusual scan. Glioma, both models agree (85 %) " + ood_detector.UNUSUAL,
        ),
        (("glioma", "glioma"), "ok", ("turned",), ood_detector.NOTES["turned"]),
        (("no_tumor", "no_tumor"), "ok", (), "the maps show the weak evidence for glioma"),
    ],
)
def test_verdict_in_words(entry_with, networks, labels, grade, flags, words) -> None:
    scan = ReportedScan("Scan 1", entry_with(labels, grade=grade, flags=flags), DRAWN)
    assert words in page_of(scan, networks)


def test_rejected_scan_is_shown_without_results(entry_with, networks) -> None:
    scans = [
        ReportedScan(f"Scan {number}", entry_with(probability=0.77, grade="refused", seed=number), DRAWN)
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


def test_rejected_scan_with_results_on_request(entry_with, networks) -> None:
    scan = ReportedScan("Scan 1", entry_with(probability=0.77, grade="refused"), DRAWN, is_overridden=True)
    page = page_of(scan, networks)
    assert (
        "Rejected scan. Glioma, both models agree (77 %)" in page and ood_detector.REFUSED_BUT_SHOWN in page
    )
    assert "77 %" in page and rows_of(session_csv([scan], CREATED))[0]["cnn_glioma"] == "0.7700"


def test_rejected_file_has_its_reason(networks) -> None:
    pages = pages_of(report_pdf([ReportedScan("Scan 1", refused_file(), DRAWN)], networks, CREATED))
    assert "Rejected, not analysed This is not an image." in pages[0] and VERSIONS["vgg16"] in pages[1]
    (row,) = rows_of(session_csv([ReportedScan("Scan 1", refused_file(), DRAWN)], CREATED))
    assert (row["status"], row["grade"], row["reason"]) == ("refused", "", "This is not an image.")


def test_file_names_are_shown_on_request_only(entry_with, networks) -> None:
    scans = [ReportedScan("Scan 1", entry_with(), DRAWN), ReportedScan("Scan 2", refused_file(), DRAWN)]
    for some in (scans, scans[:1], scans[1:]):
        without, named = (report_pdf(some, networks, CREATED, file_names=asked) for asked in (False, True))
        assert SECRET not in " ".join(pages_of(without)) and b"Jane" not in without
        assert SECRET in pages_of(named)[0]
        assert "Jane" not in session_csv(some, CREATED)
        assert {row["file"] for row in rows_of(session_csv(some, CREATED, file_names=True))} == {SECRET}


def test_shipped_models_are_reported_with_their_accuracy(monkeypatch) -> None:
    monkeypatch.delenv("BRAIN_MRI_MODELS", raising=False)
    accuracy = {network.card.name: accuracy_in_words(network.evaluation) for network in reported_networks()}
    assert {"cnn", "vgg16"} <= set(accuracy)
    assert re.fullmatch(r"\d\d\.\d % \(95 % CI [\d.-]+\) on \d+ scans", accuracy["cnn"])
    assert reported_networks(Path("/nowhere")) == []


def test_verdict_of_a_single_model(entry_with) -> None:
    entry = entry_with(("glioma", "glioma"))
    alone, none = replace(entry, readings=entry.readings[:1]), replace(entry, readings=())
    assert verdict(ReportedScan("Scan 1", alone, DRAWN)) == ("CNN: glioma", ())
    assert verdict(ReportedScan("Scan 1", none, DRAWN)) == ("Not yet analysed", ())


def test_nothing_to_report(networks) -> None:
    assert len(pages_of(report_pdf([], networks, CREATED))) == 1
    assert rows_of(session_csv([], CREATED)) == []


def test_same_input_gives_the_same_bytes_whatever_the_time_zone(entry_with, networks) -> None:
    scans = [ReportedScan("Scan 1", entry_with(), DRAWN), ReportedScan("Scan 2", entry_with(seed=1), DRAWN)]
    elsewhere = CREATED.astimezone(timezone(timedelta(hours=5)))
    assert report_pdf(scans, networks, CREATED) == report_pdf(scans, networks, elsewhere)
    assert session_csv(scans, CREATED) == session_csv(scans, elsewhere)
