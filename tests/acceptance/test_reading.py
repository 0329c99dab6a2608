"""Scans of known diagnosis: from ZIPs with class folders, from tables, from stored reviews."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.acceptance import zipped
from utils.acceptance.diagnoses import Diagnoses, Diagnosis, read_diagnoses
from utils.acceptance.run import File, expanded, read_scans
from utils.datasets.tables import DatasetError
from utils.reading.worklist import open_files, read_entries
from utils.scans.errors import UnreadableScan


@pytest.fixture
def read(tiny_readers):
    return lambda entries: read_entries(entries, tiny_readers, with_maps=False)


def test_class_folders_in_a_zip(site_files, read) -> None:
    done: list[tuple[int, int]] = []
    files = list(expanded("site.zip", zipped({f"site/{name}": data for name, data in site_files.items()})))
    scans, problems = read_scans(files, Diagnoses(), read, progress=lambda *steps: done.append(steps))
    assert [scan.target for scan in scans] == ["glioma", "no_tumor", "meningioma", "pituitary"]
    assert not problems and done[0] == (0, 4) and done[-1] == (4, 4)
    assert set(scans[0].labels) == {"cnn", "vgg16"} and scans[0].joint.sum() == pytest.approx(1)


def test_a_table_counts_before_folders(site_files, read) -> None:
    table = b"\xef\xbb\xbfFile;Diagnosis;Patient\r\nglioma\\a.png;Normal;P1\r\nb.png;metastasis;P1\r\n"
    diagnoses = Diagnoses(read_diagnoses(table, "t.csv"))
    scans, problems = read_scans(list(expanded("z", zipped(site_files))), diagnoses, read)
    assert [(scan.target, scan.patient) for scan in scans] == [("no_tumor", "P1"), ("other_tumor", "P1")]
    assert [name for name, _ in problems] == ["Meningiomas/c.png", "pituitary/d.png"]
    assert problems[0][1].startswith("No diagnosis is known. Put scans in folders")


def test_stored_reviews_count_where_nothing_else_is_known(png_bytes, read) -> None:
    data = png_bytes(7)
    sha256 = open_files([("x.png", data)])[0].sha256
    scans, _ = read_scans([File("x.png", lambda: data)], Diagnoses(by_sha256={sha256: "metastasis"}), read)
    assert [scan.target for scan in scans] == ["other_tumor"]
    scans, problems = read_scans(
        [File("x.png", lambda: data)], Diagnoses(by_sha256={sha256: "artefact"}), read
    )
    assert not scans and len(problems) == 1


def test_what_cannot_be_used_is_named(site_files, read) -> None:
    files = dict(site_files) | {"glioma/copy.png": site_files["glioma/a.png"], "glioma/text.png": b"text"}
    scans, problems = read_scans(list(expanded("z", zipped(files))), Diagnoses(), read)
    assert len(scans) == 4
    assert dict(problems).keys() == {"glioma/copy.png", "glioma/text.png"}
    assert dict(problems)["glioma/copy.png"] == "Duplicate of an earlier scan; it counts once."


def test_a_zip_has_the_diagnosis_of_its_folder(site_files, read) -> None:
    data = zipped({"scan.png": site_files["glioma/a.png"]})
    scans, problems = read_scans([File("Meningioma/p1.zip", lambda: data)], Diagnoses(), read)
    assert [scan.target for scan in scans] == ["meningioma"] and not problems


def test_a_table_from_a_spreadsheet_is_read() -> None:
    table = "\ufeffFile;Label;Class\r\na.png;Glioma;x\r\n".encode()
    assert read_diagnoses(table, "t.csv") == {"a.png": Diagnosis("glioma")}


def test_a_refused_zip_is_a_sentence() -> None:
    with pytest.raises(UnreadableScan):
        list(expanded("z.zip", b"PK\x03\x04 damaged"))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (b"name,kind\na.png,glioma\n", "t.csv needs the columns file and diagnosis"),
        (b"file,diagnosis\na.png,gliomatosis\n", "not known: gliomatosis. Use glioma, meningioma"),
        (b"file,diagnosis\na.png,\n", "not known: an empty field"),
        (b"file,diagnosis\na.png,glioma\na.png,meningioma\n", "more than one row for a.png"),
        (b"", "t.csv cannot be read as a CSV table"),
        (b"file,File,diagnosis\na.png,b.png,glioma\n", "two columns with the same heading"),
        (b"file,diagnosis\nb\xe4.png,glioma\n", "t.csv cannot be read as a CSV table"),
    ],
)
def test_unusable_tables_are_refused_in_a_sentence(table: bytes, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_diagnoses(table, "t.csv")


def test_files_with_different_diagnoses_are_none() -> None:
    diagnoses = Diagnoses({"a.dcm": Diagnosis("glioma"), "b.dcm": Diagnosis("no_tumor")})
    assert diagnoses.of(["a.dcm", "b.dcm"], "") is None
    assert diagnoses.of(["s/a.dcm", "s/c.dcm"], "") == Diagnosis("glioma")


def test_folders_of_any_depth_name_a_class() -> None:
    assert Diagnoses().of(["site/no_tumor/patient 7/x.png"], "") == Diagnosis("no_tumor")
    assert Diagnoses().of([str(Path("scans") / "x.png")], "") is None
