"""The ten further collections: how their manifests are read, and the protocols that use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.classes import OTHER_TUMOR, class_of, class_of_label
from utils.datasets.protocols import PROTOCOLS, UNSEEN_FAMILIES, split_samples
from utils.datasets.samples import load_samples
from utils.datasets.sources import (
    SOURCES,
    all_sources,
    default_sources,
    doubtful_patients,
    sources_of_families,
)
from utils.datasets.tables import DatasetError

FAMILIES = {source.family for source in SOURCES.values()}


def write_collection(root: Path, name: str, label: str = "glioma", **columns: object) -> None:
    """Five images in the layout of `more`, one fold each; groups are numbered by source and fold."""
    folder = root / "more" / name
    number = 10 * list(SOURCES).index(name)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for fold in range(5):
        pixels = np.full((8, 8), 20 * fold, np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{fold}.png")
        Image.fromarray(pixels).save(folder / "masks" / f"{fold}.png")
    table = pd.DataFrame(
        {"file": [f"images/{fold}.png" for fold in range(5)], "label": label, "fold": range(5)}
    )
    table = table.assign(duplicate_group=number + table["fold"], group=number + table["fold"], **columns)
    table.to_csv(folder / "manifest.csv", index=False)


@pytest.fixture
def collections(tmp_path: Path) -> Path:
    """One collection of each family, below `more`."""
    masks = [f"masks/{fold}.png" for fold in range(5)]
    write_collection(tmp_path, "nickparvar")
    write_collection(tmp_path, "feltrin44")
    write_collection(tmp_path, "lgg")
    write_collection(
        tmp_path, "brats18", sequence="T1C", plane="axial", skull_stripped=1, mask=masks, mask_is="outline",
        patient=["Brats18_TCIA10_1", "Brats18_TCIA02_2", "", "a", "b"],
    )  # fmt: skip
    write_collection(tmp_path, "rsna_t1c", skull_stripped=1, mask=masks, mask_is="box")
    write_collection(tmp_path, "oasis2", "no_tumor", skull_stripped=1, health="dementia")
    write_collection(tmp_path, "ibsr18", "no_tumor", skull_stripped=0)
    return tmp_path


def of_source(samples: pd.DataFrame, source: str) -> pd.DataFrame:
    return samples[samples["source"] == source]


def test_columns_of_the_manifests(collections: Path) -> None:
    samples = load_samples(collections, all_sources())
    brats = of_source(samples, "brats18")
    assert set(brats["sequence"]) == {"T1C+"} and set(brats["plane"]) == {"axial"}
    assert brats["is_skull_stripped"].all() and not of_source(samples, "ibsr18")["is_skull_stripped"].any()
    assert set(of_source(samples, "oasis2")["health"]) == {"dementia"}


def test_a_box_is_no_outline(collections: Path) -> None:
    samples = load_samples(collections, all_sources())
    assert (of_source(samples, "brats18")["mask"] != "").all() and (
        of_source(samples, "brats18")["box"] == ""
    ).all()
    assert (of_source(samples, "rsna_t1c")["mask"] == "").all() and (
        of_source(samples, "rsna_t1c")["box"] != ""
    ).all()


def test_a_slice_without_tumour_has_no_mask(tmp_path: Path) -> None:
    masks = [f"masks/{fold}.png" for fold in range(5)]
    write_collection(tmp_path, "fets21_t2", "no_tumor_in_slice", mask=masks, mask_is="outline")
    samples = load_samples(tmp_path, ("fets21_t2",))
    assert (
        set(samples["label"]) == {"no_tumor"}
        and (samples["mask"] == "").all()
        and (samples["box"] == "").all()
    )


@pytest.mark.parametrize(
    "label,name",
    [
        ("no_tumor_in_slice", "no_tumor"),
        ("other_tumor", OTHER_TUMOR),
        ("tumor_type_unknown", OTHER_TUMOR),
        ("Astrocitoma T1", "glioma"),
        ("artefact", None),
    ],
)
def test_labels_of_manifests(label: str, name: str | None) -> None:
    assert class_of_label(label) == name


def test_no_class_folder_is_called_other() -> None:
    assert class_of("other_tumor") is None and class_of("no_tumor_in_slice") is None


def test_the_further_collections_are_loaded_by_name_only(collections: Path) -> None:
    assert set(load_samples(collections, all_sources())["source"]) > {"brats18", "oasis2"}
    assert set(load_samples(collections, ("lgg",))["source"]) == {"lgg"}
    assert set(load_samples(collections / "more", ("brats18",))["source"]) == {"brats18"}
    with pytest.raises(DatasetError):
        load_samples(collections)  # holds no set itself


def test_families() -> None:
    assert "sartaj" not in all_sources() and len(all_sources()) == len(SOURCES) - 1
    assert {"nickparvar", "feltrin44", "lgg", "brats", "oasis", "healthy"} == FAMILIES
    assert sources_of_families(("oasis", "lgg")) == ("lgg", "oasis_alz", "oasis2")
    assert {family for pair in UNSEEN_FAMILIES.values() for family in pair} == FAMILIES


def test_all_collections_keep_the_folds(collections: Path) -> None:
    protocol = PROTOCOLS["all-collections"]
    assert protocol.sets == all_sources() and PROTOCOLS["patient-disjoint"].sets == default_sources()
    split = split_samples(load_samples(collections, protocol.sets), protocol.name)
    assert split["part"].tolist() == ["test", "validation", "train", "train", "train"] * 7


@pytest.mark.parametrize("name", UNSEEN_FAMILIES)
def test_unseen_families_are_in_the_test_only(collections: Path, name: str) -> None:
    samples = load_samples(collections, PROTOCOLS[name].sets)
    split = split_samples(samples, name)
    left_out = set(sources_of_families(UNSEEN_FAMILIES[name]))
    assert set(split.loc[split["part"] == "test", "source"]) == left_out & set(samples["source"])
    assert not set(split.loc[split["part"] != "test", "source"]) & left_out
    assert not (split.loc[split["part"] != "test", "fold"] == 0).any()
    assert not split["patient"].str.startswith(doubtful_patients()).any()
    assert split.groupby("group")["part"].nunique().max() == 1


def test_a_network_of_the_first_three_may_start_a_training_without_the_brats_family() -> None:
    first_three, brats = PROTOCOLS["patient-disjoint"], PROTOCOLS["unseen-brats"]
    assert brats.is_unseen_by(first_three, default_sources())
    assert not brats.is_unseen_by(first_three, (*default_sources(), "rsna_t1c"))
    assert not brats.is_unseen_by(PROTOCOLS["published"], ("nickparvar",))
    assert not PROTOCOLS["unseen-lgg"].is_unseen_by(first_three, default_sources())
    assert PROTOCOLS["all-collections"].is_unseen_by(first_three, default_sources())


@pytest.mark.data
def test_the_collections_themselves(data_root: Path) -> None:
    if not (data_root / "more").is_dir():
        pytest.skip("the further collections are not there")
    samples = load_samples(data_root, all_sources())
    assert set(samples["source"]) == set(all_sources()) and not samples.attrs["unreadable"]
    further = samples[~samples["source"].isin(default_sources())]
    assert len(further) == 6369 and (further["box"] != "").sum() == 1101
    assert samples.groupby("group")["fold"].nunique().max() == 1
    first = split_samples(load_samples(data_root, default_sources()), "patient-disjoint")
    everything = split_samples(samples, "all-collections")
    of_first = everything[everything["source"].isin(default_sources())]
    assert of_first[["file", "part", "target", "mask"]].equals(first[["file", "part", "target", "mask"]])
    for name, pair in UNSEEN_FAMILIES.items():
        test = split_samples(samples, name).query("part == 'test'")
        assert set(test["target"]) >= {"glioma", "no_tumor"} and set(test["source"]) == set(
            sources_of_families(pair)
        ) - {"sartaj"}
