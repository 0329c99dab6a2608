"""The outlier classifier: fitted on descriptions of brains and of other images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from utils.datasets.outliers import load_outliers
from utils.reading.outliers import describe, fit_outlier_classifier, mislabelled


def described(centre: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(centre, 1, (count, 8)).astype(np.float32)


def test_outliers_are_marked_and_few_brains() -> None:
    classifier = fit_outlier_classifier(
        described(0, 400, 0), described(2, 60, 1), described(0, 2000, 2), np.ones(2000)
    )
    brains, others = classifier.scores(described(0, 2000, 3)), classifier.scores(described(2, 200, 4))
    assert (others > classifier.unusual).mean() > 0.9
    assert (brains > classifier.unusual).mean() < 0.015 and (brains > classifier.refused).mean() < 0.005
    assert [
        classifier.grade(score) for score in (-9.0, classifier.unusual + 1e-3, classifier.refused + 1)
    ] == [
        "ok",
        "unusual",
        "refused",
    ]


def test_thresholds_count_validation_scans_by_their_weight() -> None:
    validation = np.concatenate([described(0, 1000, 2), described(2, 10, 5)])
    equal = np.ones(1010)
    light = np.repeat([1.0, 1e-6], [1000, 10])
    thresholds = [
        fit_outlier_classifier(described(0, 400, 0), described(2, 60, 1), validation, weights).refused
        for weights in (equal, light)
    ]
    assert thresholds[0] > thresholds[1] + 1


def test_an_outlier_among_the_brain_scans_is_detected_without_its_own_label() -> None:
    brains = np.concatenate([described(0, 200, 0), described(3, 2, 7)])
    groups = np.append(np.arange(200) // 4, [100, 100])
    assert np.flatnonzero(mislabelled(brains, groups, described(3, 60, 1))).tolist() == [200, 201]


def test_one_broken_channel_decides_nothing() -> None:
    classifier = fit_outlier_classifier(
        described(0, 400, 0), described(2, 60, 1), described(0, 500, 2), np.ones(500)
    )
    brain = described(0, 1, 6)
    brain[0, 3] = 1e9
    assert np.isfinite(classifier.scores(brain)).all()


def test_a_description_is_mean_and_spread_of_every_channel() -> None:
    layers = [np.full((2, 4, 4, 3), 2.0, np.float32), np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)]
    np.testing.assert_allclose(
        describe(layers), [[2, 2, 2, 0, 0, 0, 1, 2, 1, 1], [2, 2, 2, 0, 0, 0, 5, 6, 1, 1]]
    )


def test_no_patient_and_no_neighbour_is_on_both_sides(tmp_path: Path) -> None:
    folder = tmp_path / "more" / "outliers"
    folder.mkdir(parents=True)
    rows = [f"spine/{number}.jpg,spine_mri,{number // 3}" for number in range(12)]
    rows += [f"ct/{number:02}.jpg,head_ct,unknown" for number in range(10)]
    (folder / "manifest.csv").write_text("file,label,patient\n" + "\n".join(rows))
    table = load_outliers(tmp_path)
    spine = table[table["label"] == "spine_mri"]
    patients = {
        part: {int(Path(path).stem) // 3 for path in rows["path"]} for part, rows in spine.groupby("part")
    }
    assert not patients["train"] & patients["validation"] and set(patients) == {"train", "validation"}
    scans = table[table["label"] == "head_ct"]
    assert sorted(scans.loc[scans["part"] == "train", "path"].str[-6:-4]) == ["00", "01", "02", "03", "04"]
    assert load_outliers(tmp_path / "nowhere").empty
