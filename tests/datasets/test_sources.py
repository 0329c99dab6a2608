"""utils.datasets.sources: the table of collections."""

from __future__ import annotations

import pytest

from utils.datasets.sources import (
    SOURCES,
    Source,
    default_sources,
    source_licence,
    source_sequence,
    source_title,
    source_with_class_folders,
    weak_negative_sources,
)


def test_one_entry_adds_a_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Source(
        "clinic",
        "Clinic",
        "a clinic's scans (CC0)",
        is_default=True,
        sequence="T2",
        class_folders=frozenset({"lesion", "healthy"}),
        has_weak_negatives=True,
    )
    monkeypatch.setitem(SOURCES, entry.name, entry)
    assert "clinic" in default_sources() and "clinic" in weak_negative_sources()
    assert source_title("clinic") == "Clinic" and source_licence("clinic") == "a clinic's scans (CC0)"
    assert source_sequence("clinic") == "T2"
    assert source_with_class_folders(["healthy", "lesion", "other"]) == "clinic"


def test_the_known_collections() -> None:
    assert default_sources() == ("nickparvar", "feltrin44", "lgg") and weak_negative_sources()[0] == "lgg"
    assert (source_title("feltrin44 T1C+"), source_title("lgg")) == ("Feltrin T1C+", "LGG")
    assert source_with_class_folders({"glioma", "meningioma", "notumor"}) == "nickparvar"
    assert source_with_class_folders({"glioma_tumor", "no_tumor"}) == "sartaj"
    assert all(source.licence and source.name == name for name, source in SOURCES.items())


def test_an_unknown_collection_is_named_after_its_folder() -> None:
    assert source_title("clinic T2") == "clinic T2" and source_sequence("clinic") == ""
    assert source_licence("clinic") == "a set called clinic"
    assert source_with_class_folders({"glioma", "meningioma"}) is None
