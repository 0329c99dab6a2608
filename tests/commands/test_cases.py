"""`model.py cases`: the CSV table, the class folders and wrong options."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import model
from tests.commands.steps import Run
from tests.support.cases import case
from tests.support.corpus import zipped
from utils.cases.reviews import Review
from utils.cases.store import CaseStore


@pytest.fixture
def run_cases(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function (arguments) -> exit code, standard output, standard error; the case store is `tmp_path`/cases."""
    monkeypatch.setenv("BRAIN_MRI_CASES", str(tmp_path / "cases"))

    def call(*arguments: object) -> tuple[int, str, str]:
        code = model.main(["cases", *(str(argument) for argument in arguments)])
        return code, *capsys.readouterr()

    return call


def test_command_writes_table_and_folders(run_cases: Run, originals: Path, tmp_path: Path, png_bytes) -> None:
    (originals / "below" / "Doe^Jane.png").write_bytes(png_bytes(1))
    (originals / "packed.zip").write_bytes(zipped({"a.png": png_bytes(2)}))
    store = CaseStore.open(tmp_path / "cases", create=True)
    for stored in (case(png_bytes(1), "Scan 1"), case(png_bytes(2), "Scan 2"), case(b"", "Scan 3", "unsure")):
        store.save(stored.sha256, stored.name, Review(stored.review.verdict, note="a\r\nb"), stored.answers)
    table = tmp_path / "new" / "cases.csv"
    code, output, errors = run_cases(
        "--export", table, "--originals", originals, "--output", tmp_path / "labelled"
    )
    assert code == 0 and output.splitlines() == [
        f"3 cases written to {table}",
        f"written to {tmp_path / 'labelled'}: glioma 1, meningioma 0, no_tumor 0, pituitary 0",
    ]
    assert [line.split(":")[:2] for line in errors.splitlines()] == [
        ["skipped", " Scan 3"],
        ["skipped", " Scan 2"],
    ]
    assert "unpack ZIPs" in errors and (tmp_path / "labelled" / "glioma" / "Scan 1.png").is_file()
    with table.open(encoding="utf-8", newline="") as stream:
        assert [(row["name"], row["note"]) for row in csv.DictReader(stream)] == [
            (f"Scan {number}", "a\r\nb") for number in (1, 2, 3)
        ]


def test_command_that_finds_no_original_writes_nothing(
    run_cases: Run, originals: Path, tmp_path: Path
) -> None:
    CaseStore.open(tmp_path / "cases", create=True)
    code, output, _ = run_cases("--originals", originals, "--output", tmp_path / "labelled")
    assert code == 1 and "glioma 0" in output and not (tmp_path / "labelled").exists()


@pytest.mark.parametrize(
    ("arguments", "store", "words"),
    [
        ((), b"", "Choose the output"),
        (("--originals", "."), b"", "Choose the output"),
        (("--export", "cases.csv", "--output", "labelled"), b"", "Choose the output"),
        (("--export", "cases.csv"), None, "There is no case store"),
        (("--export", "cases.csv"), b"no database " * 100, "is damaged or not a case store"),
        (("--export", "."), b"", "error: .: Is a directory"),
        (("--originals", "missing", "--output", "labelled"), b"", "missing is not a folder"),
    ],
)
def test_command_refuses_in_one_sentence(
    run_cases: Run, tmp_path: Path, monkeypatch, arguments, store, words
) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    if store is not None:
        (tmp_path / "cases").write_bytes(store)
    code, output, errors = run_cases(*arguments)
    assert code == 2 and output == "" and errors.startswith("error: ") and words in errors
    assert len(errors.splitlines()) == 1 and errors.endswith(".\n")
    assert not list((tmp_path / "work").iterdir()) and (store is not None) == (tmp_path / "cases").exists()
