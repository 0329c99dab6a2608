from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.classes import CLASSES
from utils.datasets.samples import load_samples
from utils.datasets.tables import DatasetError
from utils.evaluation.audit import audit, format_audit, nearest_neighbour


@pytest.fixture
def published(class_folders):
    """The class folders as a set with Training (6 of a class) and Testing (2 of a class)."""
    for folder in [path for path in class_folders.iterdir() if path.is_dir()]:
        for index in range(8):
            part = class_folders / ("Training" if index < 6 else "Testing") / folder.name
            part.mkdir(parents=True, exist_ok=True)
            (folder / f"{index}.png").rename(part / f"{index}.png")
        folder.rmdir()
    return class_folders


def test_counts_of_a_folder_without_a_split(class_folders):
    result = audit(load_samples(class_folders))
    everything = result.counts[result.counts["part"] == "all"].iloc[0]
    assert everything[list(CLASSES)].tolist() == [8, 8, 8, 8]
    assert everything["total"] == everything["different pictures"] == 32
    assert set(result.counts["part"]) == {"folder train", "folder validation", "folder test", "all"}
    leak = result.leaks.iloc[0]
    assert leak["split"] == "folder" and leak["identical"] == leak["identical or mirrored"] == 0
    assert leak["train"] + leak["test"] == 32
    assert result.conflicts.empty and result.corrected.empty and result.unreadable == ()


def test_copies_across_the_published_split_are_found(published):
    training, testing = published / "Training" / "Glioma", published / "Testing" / "Glioma"
    shutil.copy(training / "0.png", testing / "copy.png")
    flip = Image.Transpose.FLIP_LEFT_RIGHT
    Image.open(training / "1.png").transpose(flip).save(testing / "mirrored.png")
    Image.open(training / "2.png").save(testing / "compressed.jpg", quality=70)
    leak = audit(load_samples(published)).leaks.iloc[0]
    assert leak["split"] == "published" and (leak["train"], leak["test"]) == (24, 11)
    assert leak["identical"] == 1
    assert leak["identical or mirrored"] == 3
    assert leak["patient"] is None and leak["group"] is None


def test_patients_and_groups_across_the_split_are_counted(published):
    files = sorted(path.relative_to(published).as_posix() for path in published.rglob("*.png"))
    table = pd.DataFrame({"file": files})
    table["published_split"] = table["file"].str.split("/").str[0]
    table["label"] = table["file"].str.split("/").str[1]
    table["duplicate_group"] = table["group"] = range(len(files))
    table["fold"] = [number % 5 for number in range(len(files))]
    table["patient"] = [f"p{number}" if number % 2 else "" for number in range(len(files))]
    test, train = table["published_split"] == "Testing", table["published_split"] == "Training"
    asked = table.index[test & (table["patient"] != "")][0]
    table.loc[asked, ["patient", "group"]] = table.loc[table.index[train][1], ["patient", "group"]].to_list()
    table.to_csv(published / "manifest.csv", index=False)
    leaks = audit(load_samples(published)).leaks.set_index("split")
    assert list(leaks.index) == ["published", "patient-disjoint"]
    assert leaks.loc["published", ["patient", "patient known", "group"]].tolist() == [1, 4, 1]


def test_one_picture_under_two_labels_is_a_conflict(class_folders):
    shutil.copy(class_folders / "Glioma" / "0.png", class_folders / "Pituitary Tumour" / "wrong.png")
    result = audit(load_samples(class_folders))
    assert set(result.conflicts["file"]) == {"Glioma/0.png", "Pituitary Tumour/wrong.png"}
    assert "Pituitary Tumour/wrong.png" in format_audit(result)


def test_unreadable_and_missing_files_are_listed(class_folders):
    (class_folders / "Glioma" / "broken.png").write_bytes(b"no picture")
    result = audit(load_samples(class_folders))
    assert len(result.unreadable) == 1 and "broken.png" in result.unreadable[0]
    samples = load_samples(class_folders)
    (class_folders / "Glioma" / "0.png").write_bytes(b"")  # after the table was made, as with a manifest
    result = audit(samples)
    assert len(result.unreadable) == 2
    text = format_audit(result)
    assert "broken.png" in text and "0.png" in text and "2 files" in text


def test_too_few_pictures_for_a_split_are_still_counted(class_folders):
    for file in class_folders.rglob("[2-7].png"):
        file.unlink()
    result = audit(load_samples(class_folders))
    assert result.leaks.empty and result.counts["total"].tolist() == [8]
    assert "8" in format_audit(result)


def test_nothing_readable_is_an_error(class_folders):
    samples = load_samples(class_folders)
    for path in samples["path"]:
        with open(path, "wb"):
            pass
    with pytest.raises(DatasetError, match="None of the images"):
        audit(samples)


def test_the_table_given_stays_as_it_is(class_folders):
    samples = load_samples(class_folders)
    kept = samples.copy()
    audit(samples)
    pd.testing.assert_frame_equal(samples, kept)


def test_nearest_neighbour_knows_a_brighter_copy(class_folders, tmp_path):
    samples = load_samples(class_folders)
    targets = samples["label"].map(CLASSES.index).to_numpy()
    copies = []
    for number, path in enumerate(samples["path"]):
        dimmed = np.rint(np.asarray(Image.open(path)) * 0.7).astype(np.uint8)
        copies.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(dimmed).save(copies[-1])
    predicted = nearest_neighbour(list(samples["path"]), targets, copies)
    assert predicted.tolist() == targets.tolist()


@pytest.mark.data
def test_the_figures_of_the_data_readme(data_root):
    """Each number stands in the README of the data, measured there independently."""
    result = audit(load_samples(data_root))
    leaks = result.leaks.set_index(["source", "split"])
    published = leaks.loc[("nickparvar", "published")]
    assert (published["train"], published["test"]) == (5712, 1311)
    assert published["identical"] == 216
    assert 982 <= published["identical or mirrored"] <= 988
    assert (published["patient"], published["patient known"]) == (788, 788)
    assert round(100 * published["accuracy"], 1) == 97.1
    honest = leaks.loc[("nickparvar", "patient-disjoint")]
    assert honest["identical"] == honest["identical or mirrored"] == honest["patient"] == honest["group"] == 0
    assert honest["accuracy"] < 0.85
    sartaj = leaks.loc[("sartaj", "published")]
    assert 251 <= sartaj["identical or mirrored"] <= 263 and sartaj["test"] == 394
    assert len(result.corrected) == 4 and result.unreadable == ()
    within = result.conflicts[result.conflicts["source"] == "sartaj"].groupby("picture")["label"].nunique()
    assert (
        within > 1
    ).sum() == 2  # the README counts five: those whose label differs from their twin in Nickparvar
    text = format_audit(result)
    assert "216 (16 %)" in text and "788 of 788" in text and "97.1 %" in text
