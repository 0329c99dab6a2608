from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from utils.classes import CLASSES, OTHER_TUMOR, class_of, right_answers, sequence_of
from utils.datasets import downloads
from utils.datasets.protocols import PROTOCOLS, split_samples
from utils.datasets.samples import load_samples, readable
from utils.datasets.tables import DatasetError


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)


def check_split(split: pd.DataFrame) -> None:
    """No group, and so no picture, on two sides; every part has images; test and validation count a picture once."""
    assert set(split["part"]) == {"train", "validation", "test"}
    for column in ("group", "picture"):
        assert split.groupby(column)["part"].nunique().max() == 1
    for part in ("validation", "test"):
        assert not split.loc[split["part"] == part, "picture"].duplicated().any()
    assert set(split["target"]) <= {*CLASSES, OTHER_TUMOR}


def write_manifest(root: Path, **changes: Sequence | None) -> pd.DataFrame:
    """A manifest beside the class folders: 32 files, folds in turn, one group a picture."""
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    table = pd.DataFrame(
        {
            "file": files,
            "label": [file.split("/")[0] for file in files],
            "duplicate_group": range(len(files)),
            "group": range(len(files)),
            "fold": [number % 5 for number in range(len(files))],
        }
    )
    for column, values in changes.items():
        table = table.drop(columns=column) if values is None else table.assign(**{column: values})
    table.to_csv(root / "manifest.csv", index=False)
    return table


@pytest.mark.parametrize(
    "folder,name",
    [
        ("glioma", "glioma"),
        ("glioma_tumor", "glioma"),
        ("Glioma Tumour", "glioma"),
        ("MENINGIOMA", "meningioma"),
        ("meningioma-tumors", "meningioma"),
        ("pituitary_tumor", "pituitary"),
        ("Pituitary tumour", "pituitary"),
        ("notumor", "no_tumor"),
        ("no_tumor", "no_tumor"),
        ("No Tumour", "no_tumor"),
        ("healthy", "no_tumor"),
        ("normal", "no_tumor"),
        ("tumor", None),
        ("masks", None),
        ("Training", None),
        ("has_tumour", None),
        ("Meningioma T1C+", "meningioma"),
        ("Astrocitoma T1", "glioma"),
        ("Papiloma T2", OTHER_TUMOR),
        ("_NORMAL T2", "no_tumor"),
    ],
)
def test_class_of_spellings(folder, name):
    assert class_of(folder) == name


@pytest.mark.parametrize(
    "folder,sequence",
    [
        ("Astrocitoma T1C+", "T1C+"),
        ("_NORMAL T1", "T1"),
        ("glioma_flair", "FLAIR"),
        ("T1", ""),
        ("glioma", ""),
    ],
)
def test_sequence_of_a_folder(folder, sequence):
    assert sequence_of(folder) == sequence


def test_any_tumour_class_is_right_about_a_tumour_without_a_name_here():
    answers = right_answers(["glioma", OTHER_TUMOR, "no_tumor"])
    assert answers.tolist() == [[1, 0, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0]]


def test_leaving_a_source_out_tests_on_all_of_it_but_its_twins(class_folders, draw_brain):
    write_manifest(class_folders)
    second = class_folders.parent / "second"
    for number, name in enumerate(CLASSES):
        for index in range(8):
            save(draw_brain(seed=5000 + 100 * number + index), second / name / f"{index}.png")
    numbers = list(range(100, 132))
    groups = [3, 0, *numbers[2:]]  # the first two look like pictures of the other set, in folds 3 and 0
    write_manifest(second, duplicate_group=[numbers[4], *numbers[1:]], group=groups)
    samples = load_samples(class_folders.parent)
    split = split_samples(samples, "leave-one-source-out-second")
    parts = {part: rows for part, rows in split.groupby("part")}
    assert set(parts["test"]["source"]) == {"second"} and set(parts["test"]["fold"]) == set(range(5))
    assert set(parts["train"]["fold"]) == {2, 3, 4} and set(parts["validation"]["fold"]) == {1}
    assert set(parts["train"]["source"]) == {"own"}
    assert not set(parts["test"]["group"]) & set(parts["train"]["group"])
    assert 3 not in set(parts["test"]["group"]) and 0 in set(parts["test"]["group"])
    assert not parts["test"]["picture"].duplicated().any()
    with pytest.raises(DatasetError, match="Leaving out third needs that set"):
        split_samples(samples, "leave-one-source-out-third")


def test_class_folders(class_folders):
    samples = load_samples(class_folders)
    assert samples["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 8)
    assert set(samples["source"]) == {"own"} and set(samples["published_split"]) == {""}
    assert samples["picture"].nunique() == 32
    assert (samples["fold"] == -1).all() and samples.attrs["unreadable"] == []
    assert all(Path(path).is_file() for path in samples["path"])


def test_unreadable_files_are_left_out_and_listed(class_folders):
    (class_folders / "Glioma" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (class_folders / "Glioma" / "slice.dcm").write_bytes(bytes(128) + b"DICM")
    (class_folders / "Glioma" / ".DS_Store").write_bytes(b"x")
    samples = load_samples(class_folders)
    problems = samples.attrs["unreadable"]
    assert len(samples) == 32 and len(problems) == 2
    assert any("broken.png: This " in problem for problem in problems)
    assert any("slice.dcm" in problem for problem in problems)
    assert split_samples(samples, "folder").attrs["unreadable"] == problems


def test_masks_beside_the_pictures_are_no_pictures(class_folders, brain):
    save(brain, class_folders / "masks" / "Glioma" / "0.png")
    save(brain, class_folders / "Glioma" / "Masks" / "0.png")
    assert len(load_samples(class_folders)) == 32


def test_a_folder_of_sets_keeps_their_pictures_apart_and_joins_the_common_ones(class_folders, draw_brain):
    second = class_folders.parent / "second"
    for number, name in enumerate(CLASSES):
        for index in range(8):
            save(draw_brain(seed=5000 + 100 * number + index), second / name / f"{index}.jpg")
    shutil.copy(class_folders / "Glioma" / "3.png", second / "glioma" / "copy.png")
    samples = load_samples(class_folders.parent)
    assert samples["source"].value_counts().to_dict() == {"second": 33, "own": 32}
    assert samples["picture"].nunique() == 64
    common = samples[samples["file"].isin(["Glioma/3.png", "glioma/copy.png"])]
    assert common["picture"].nunique() == 1 and common["group"].nunique() == 1
    assert set(load_samples(class_folders.parent, sets=("second",))["source"]) == {"second"}
    check_split(split_samples(samples, "folder"))


def test_a_set_without_manifest_is_joined_to_one_with(class_folders, draw_brain):
    manifest = write_manifest(class_folders, duplicate_group=range(100, 132), group=range(200, 232))
    second = class_folders.parent / "second"
    save(draw_brain(seed=5000), second / "glioma" / "new.png")
    save(draw_brain(seed=5001), second / "no" / "new.png")
    shutil.copy(class_folders / "Glioma" / "3.png", second / "glioma" / "copy.png")
    samples = load_samples(class_folders.parent).set_index("file")
    expected = manifest.set_index("file").loc["Glioma/3.png"]
    assert samples.loc["glioma/copy.png", "picture"] == expected["duplicate_group"]
    assert samples.loc["glioma/copy.png", "group"] == expected["group"]
    assert samples["group"].nunique() == samples["picture"].nunique() == 34
    with pytest.raises(DatasetError, match="patient-disjoint"):
        split_samples(samples.reset_index(), "patient-disjoint")


def test_two_sets_that_look_like_nickparvar_are_both_read(tmp_path, draw_brain):
    for number, site in enumerate(("first", "second")):
        for name in ("glioma", "notumor"):
            save(draw_brain(seed=number), tmp_path / site / "Training" / name / "0.png")
    samples = load_samples(tmp_path)
    assert len(samples) == 4 and samples["source"].nunique() == 2


@pytest.mark.parametrize("seed", range(3))
def test_the_folder_protocol_never_splits_a_picture(class_folders, brain, seed):
    for index in range(4):  # copies and mirror images, also of pictures in other folders' parts
        original = Image.open(class_folders / "Glioma" / f"{index}.png")
        original.save(class_folders / "Glioma" / f"copy{index}.jpg", quality=80)
        original.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
            class_folders / "Glioma" / f"mirror{index}.png"
        )
    samples = load_samples(class_folders)
    assert len(samples) == 40 and samples["picture"].nunique() == 32
    check_split(split_samples(samples, "folder", seed=seed))


def test_the_folder_protocol_takes_training_and_testing_folders(class_folders):
    for part in ("Training", "Testing"):
        (class_folders / part).mkdir()
        for folder in [path for path in class_folders.iterdir() if path.name not in ("Training", "Testing")]:
            (class_folders / part / folder.name).mkdir()
            for index in range(8):
                if (index < 6) == (part == "Training"):
                    file = folder / f"{index}.png"
                    file.rename(class_folders / part / folder.name / file.name)
    samples = load_samples(class_folders)
    assert samples["published_split"].value_counts().to_dict() == {"Training": 24, "Testing": 8}
    check_split(split_samples(samples, "folder"))
    with pytest.raises(DatasetError, match="Nickparvar"):
        split_samples(samples, "published")


@pytest.mark.parametrize("full_names", [True, False])
def test_the_folder_protocol_keeps_patients_together(class_folders, tmp_path, full_names):
    files = load_samples(class_folders)["file"]
    if full_names:  # two pictures a patient
        patient = [f"{Path(file).parent}-{int(Path(file).stem) // 2}" for file in files]
        labels = 8 * 2
    else:  # the bare file names: one patient has a picture of every class
        patient = [Path(file).stem for file in files]
        labels = 8
    table = pd.DataFrame(
        {"file": files if full_names else files.map(lambda file: Path(file).name), "patient": patient}
    )
    table.to_csv(tmp_path / "patients.csv", index=False)
    if full_names:
        with pytest.raises(DatasetError, match="5 folds need at least 5 patients"):
            split_samples(load_samples(class_folders), "folder", patients=tmp_path / "patients.csv")
        return
    split = split_samples(load_samples(class_folders), "folder", patients=tmp_path / "patients.csv")
    assert split["group"].nunique() == labels
    check_split(split)
    assert split["file"].map(lambda file: Path(file).stem).groupby(split["part"]).unique().map(len).sum() == 8


def test_a_picture_that_two_patients_share_keeps_both_together(class_folders, tmp_path):
    shutil.copy(class_folders / "Glioma" / "0.png", class_folders / "Glioma" / "again.png")
    samples = load_samples(class_folders)
    samples[["file"]].assign(patient=[f"p{n}" for n in range(len(samples))]).to_csv(
        tmp_path / "p.csv", index=False
    )
    split = split_samples(samples, "folder", patients=tmp_path / "p.csv")
    pair = split[split["file"].isin(["Glioma/0.png", "Glioma/again.png"])]
    assert pair["group"].nunique() == 1
    assert split["group"].nunique() == 32


def test_patients_csv_errors(class_folders, tmp_path):
    samples = load_samples(class_folders)

    def refused(text: str | None) -> str:
        file = tmp_path / "patients.csv"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        with pytest.raises(DatasetError) as caught:
            split_samples(samples, "folder", patients=file)
        return str(caught.value)

    rows = "".join(f"{file},p{number}\n" for number, file in enumerate(samples["file"]))
    assert "not a file" in refused(None)
    assert "cannot be read" in refused("")
    assert "columns" in refused("name,person\n" + rows)
    assert "no patient for" in refused("file,patient\n" + rows.replace("Glioma/0.png,p0\n", ""))
    assert "no patient for" in refused(
        "file,patient\n" + rows.replace("Glioma/0.png,p0\n", "Glioma/0.png,\n")
    )
    assert "more than one patient" in refused("file,patient\n" + rows + "Glioma/0.png,other\n")


def test_patient_disjoint_follows_the_folds(class_folders):
    table = write_manifest(class_folders)
    table.loc[table["file"] == "Glioma/5.png", "duplicate_group"] = (
        0  # the same picture as Glioma/0.png, both fold 0
    )
    table.to_csv(class_folders / "manifest.csv", index=False)
    split = split_samples(load_samples(class_folders), "patient-disjoint")
    assert dict(zip(split["fold"], split["part"], strict=True)) == {
        0: "test",
        1: "validation",
        2: "train",
        3: "train",
        4: "train",
    }
    assert len(split) == 31, "the test fold counts a picture once"
    check_split(split)


def test_corrected_labels_are_used_where_the_labels_as_published_are_not_asked_for(class_folders):
    table = write_manifest(class_folders)
    table.loc[table["file"] == "Pituitary Tumour/0.png", "figshare_label"] = "meningioma"
    table.to_csv(class_folders / "manifest.csv", index=False)
    split = split_samples(load_samples(class_folders), "patient-disjoint").set_index("file")
    assert split.loc["Pituitary Tumour/0.png", ["label", "target"]].tolist() == ["pituitary", "meningioma"]
    assert (split["label"] != split["target"]).sum() == 1


def test_files_that_a_manifest_names_and_that_are_missing_are_listed(class_folders):
    write_manifest(class_folders)
    (class_folders / "Glioma" / "2.png").unlink()
    samples = load_samples(class_folders)
    assert len(samples) == 31
    assert len(samples.attrs["unreadable"]) == 1 and "2.png" in samples.attrs["unreadable"][0]
    for file in class_folders.rglob("*.png"):
        file.unlink()
    with pytest.raises(DatasetError, match="None of the files"):
        load_samples(class_folders)


@pytest.mark.parametrize(
    "column,values,message",
    [
        ("fold", None, "lacks the columns fold"),
        ("label", ["astrocytoma"] * 32, "astrocytoma"),
        ("fold", ["first"] * 32, "fold"),
        ("group", [None] * 32, "group"),
        ("duplicate_group", [0.5] * 32, "duplicate_group"),
    ],
)
def test_manifest_errors(class_folders, column, values, message):
    write_manifest(class_folders, **{column: values})
    with pytest.raises(DatasetError, match=message):
        load_samples(class_folders)


def test_a_manifest_that_is_no_table(class_folders):
    (class_folders / "manifest.csv").write_bytes(b"")
    with pytest.raises(DatasetError, match="CSV"):
        load_samples(class_folders)
    (class_folders / "manifest.csv").write_bytes(b"file,label\n\xff\xfe,\x80\n")
    with pytest.raises(DatasetError, match="CSV"):
        load_samples(class_folders)


def test_folders_that_hold_no_set(tmp_path, class_folders):
    with pytest.raises(DatasetError, match="not a folder"):
        load_samples(tmp_path / "missing")
    (tmp_path / "empty" / "cats").mkdir(parents=True)
    with pytest.raises(DatasetError, match="No class folders"):
        load_samples(tmp_path / "empty")
    for name in CLASSES:
        (tmp_path / "bare" / name).mkdir(parents=True)
    with pytest.raises(DatasetError, match="No readable picture"):
        load_samples(tmp_path / "bare")
    with pytest.raises(DatasetError, match="does not hold nickparvar"):
        load_samples(class_folders, sets=("nickparvar",))


def test_protocol_errors(class_folders):
    samples = load_samples(class_folders)
    with pytest.raises(DatasetError, match=r"manifest\.csv"):
        split_samples(samples, "patient-disjoint")
    with pytest.raises(DatasetError, match="choose one of"):
        split_samples(samples, "random")
    with pytest.raises(DatasetError, match="two or more classes"):
        split_samples(samples[samples["label"] == "glioma"], "folder")
    with pytest.raises(DatasetError, match="at least 5"):
        split_samples(samples.groupby("label").head(3), "folder")


def test_readable_of_nothing():
    table, problems = readable(pd.DataFrame(columns=["path"]))
    assert table.empty and problems == []


@pytest.mark.parametrize("there", [True, False])
def test_a_download_that_cannot_be_had_says_what_to_do(monkeypatch, there):
    class Kagglehub:
        def dataset_download(self, handle):
            raise ConnectionError("403 Forbidden.\nYou need to sign in.")

    monkeypatch.setattr(downloads.importlib, "import_module", lambda name: Kagglehub())
    monkeypatch.setattr(downloads, "_reachable", lambda address: there)
    with pytest.raises(DatasetError) as caught:
        downloads.download_nickparvar()
    text = str(caught.value)
    assert "--data" in text and "unzip" in text and "\n" not in text and ("403" in text) == there


def test_a_download_without_kagglehub_says_what_to_do(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(downloads.importlib, "import_module", missing)
    with pytest.raises(DatasetError, match=r"pip install kagglehub.*--data"):
        downloads.download_nickparvar()


def test_no_network_is_noticed_quickly():
    assert not downloads._reachable("http://127.0.0.1:9", seconds=1)


@pytest.mark.data
def test_the_real_sets(data_root):
    samples = load_samples(data_root)
    counts = {"nickparvar": 7023, "feltrin44": 4478, "sartaj": 3264, "lgg": 1942}
    assert samples["source"].value_counts().to_dict() == counts
    nickparvar = samples[samples["source"] == "nickparvar"]
    assert nickparvar["label"].value_counts().to_dict() == {
        "no_tumor": 2000,
        "pituitary": 1757,
        "meningioma": 1645,
        "glioma": 1621,
    }
    assert (nickparvar["label"] != nickparvar["true_label"]).sum() == 4
    assert nickparvar.loc[nickparvar["patient"] != "", "patient"].nunique() == 209
    assert (samples["mask"] != "").groupby(samples["source"]).sum().to_dict() == {
        "nickparvar": 4750, "feltrin44": 0, "sartaj": 0, "lgg": 1231,
    }  # fmt: skip
    assert set(samples.loc[samples["source"] == "feltrin44", "sequence"]) == {"T1", "T1C+", "T2"}
    check_split(split_samples(samples, "patient-disjoint"))
    for source in ("feltrin44", "lgg"):
        split = split_samples(samples[samples["source"] != "sartaj"], f"leave-one-source-out-{source}")
        assert set(split.loc[split["part"] == "test", "source"]) == {source}
        check_split(split)


@pytest.mark.data
def test_the_published_split_is_the_published_one(data_root):
    samples = load_samples(data_root / "nickparvar")
    assert load_samples(data_root, sets=("nickparvar",))["path"].tolist() == samples["path"].tolist()
    split = split_samples(samples, "published", seed=1)
    assert (split["part"] == "test").sum() == 1311 and len(split) == 7023
    assert (split["target"] == split["label"]).all()
    held_out = split["part"] == "validation"
    assert 240 < held_out.sum() < 330
    train = split["part"] == "train"
    assert not set(split.loc[held_out, "group"]) & set(split.loc[train, "group"])
    again = split_samples(samples, "published", seed=1)
    assert again["part"].tolist() == split["part"].tolist()
    assert split_samples(samples, "published", seed=2)["part"].tolist() != split["part"].tolist()


@pytest.mark.data
def test_the_splits_that_others_use(data_root):
    sartaj = split_samples(load_samples(data_root, sets=("sartaj",)), "sartaj")
    assert (sartaj["part"] == "test").sum() == 394 and len(sartaj) == 3264
    held_out, train = (sartaj[sartaj["part"] == part] for part in ("validation", "train"))
    assert 240 < len(held_out) < 340 and not set(held_out["group"]) & set(train["group"])
    drawn = split_samples(load_samples(data_root, sets=("sartaj",)), "sartaj-random")
    held_out, train = (drawn[drawn["part"] == part] for part in ("validation", "train"))
    assert len(held_out) == 287 and set(held_out["group"]) & set(train["group"])
    drawn = split_samples(load_samples(data_root, sets=("nickparvar",)), "published-random")
    assert (drawn["part"] == "validation").sum() == pytest.approx(5712 / 5, abs=1)
    samples = load_samples(data_root, sets=("feltrin44",))
    for protocol in ("feltrin44", "feltrin44-random"):
        split = split_samples(samples, protocol)
        classes = PROTOCOLS[protocol].classes_of(split)
        assert len(classes) == 44 and "_NORMAL T1" in classes
        assert set(split.loc[split["part"] == "train", "target"]) == set(classes)
    check_split(split_samples(samples, "patient-disjoint"))
    assert PROTOCOLS["patient-disjoint"].classes_of(samples) == CLASSES
