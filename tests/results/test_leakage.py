"""utils.results.leakage: what the record says about a split."""

from __future__ import annotations

from pathlib import Path

from utils.paths import REPOSITORY
from utils.records.base import write_record
from utils.records.leakage import LeakageRecord, SplitLeakage
from utils.results.leakage import leakage_sentence, load_leakage


def test_a_split_that_leaks_has_a_sentence(tmp_path: Path) -> None:
    splits = {
        "leaks": SplitLeakage(test=2000, in_training=1500),
        "clean": SplitLeakage(test=9, in_training=0),
    }
    write_record(tmp_path / "leakage.json", LeakageRecord(date="", commit="", command="", splits=splits))
    record = load_leakage(tmp_path)
    assert leakage_sentence(record, "leaks") == (
        "75 % of its test images (1,500 of 2,000) show an image of its training part."
    )
    assert leakage_sentence(record, "clean") == leakage_sentence(record, "other") == ""


def test_without_a_valid_record_nothing_is_known(tmp_path: Path) -> None:
    assert load_leakage(tmp_path) is None and leakage_sentence(None, "published") == ""
    (tmp_path / "leakage.json").write_text("{}")
    assert load_leakage(tmp_path) is None


def test_the_shipped_record_says_what_the_data_s_readme_says() -> None:
    record = load_leakage(REPOSITORY / "models" / "evaluation")
    assert record is not None
    assert (record.splits["published"].test, record.splits["published"].in_training) == (1311, 982)
    assert record.splits["patient-disjoint"].in_training == 0
