"""Sequence and plane recognised from descriptions of the image; stored with the network, and measured on real scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from utils.classes import CONTRAST, FLAIR, PLANES, SEQUENCES, T1
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.datasets.sequences import known_samples
from utils.metrics.softmax import softmax
from utils.networks.shipped import segmentation_weights
from utils.reading.segmenter import Segmenter
from utils.reading.sequences import (
    Discriminant,
    Recognition,
    SequenceRecogniser,
    combine,
    describe_quarters,
    plane_description,
    sequence_description,
)
from utils.scans.upload import read_scan_file
from utils.training.sequence_calibration import fit_discriminant


def recognition(sequence: str, probability: float, plane: str = "axial") -> Recognition:
    sequences = np.full(4, (1 - probability) / 3)
    sequences[SEQUENCES.index(sequence)] = probability
    planes = np.where(np.asarray(PLANES) == plane, 0.9, 0.05)
    return Recognition(sequences, planes, 0.7, 0.7)


def test_quarters_are_the_means_of_each_corner() -> None:
    layer = np.zeros((1, 4, 4, 2), np.float32)
    layer[0, :2, 2:, 0] = 8.0
    layer[0, 2:, :2, 1] = 4.0
    odd = np.zeros((1, 3, 3, 1), np.float32)
    odd[0, 1, 1] = 4.0  # the middle belongs to all
    np.testing.assert_allclose(
        describe_quarters([layer, odd]), [[[0, 0, 1], [8, 0, 1], [0, 4, 1], [0, 0, 1]]]
    )


def test_a_mirrored_image_shows_the_same_sequence() -> None:
    layer = np.random.default_rng(0).random((2, 6, 6, 3)).astype(np.float32)
    direct, mirrored = describe_quarters([layer]), describe_quarters([layer[:, :, ::-1]])
    np.testing.assert_allclose(sequence_description(direct), sequence_description(mirrored), rtol=1e-5)
    assert not np.allclose(plane_description(direct), plane_description(mirrored))


def test_discriminant_separates_classes_that_differ_little_in_noisy_directions() -> None:
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 3, 900)
    noise = rng.normal(0, 5, (900, 1)) * np.ones((1, 8)) + rng.normal(0, 0.3, (900, 8))
    noise[np.arange(900), targets] += 1
    fitted = fit_discriminant(noise, targets, np.ones(900), 1e-3)
    assert (fitted.logits(noise).argmax(axis=1) == targets).mean() > 0.95
    assert (noise[:, :3].argmax(axis=1) == targets).mean() < 0.99
    assert softmax(fitted.logits(noise)).sum(axis=1) == pytest.approx(np.ones(900))


def test_weights_stand_for_copies() -> None:
    rng = np.random.default_rng(2)
    values, targets = rng.normal(size=(40, 3)), np.repeat([0, 1], 20)
    weights = rng.integers(1, 4, 40)
    by_weight = fit_discriminant(values, targets, weights.astype(float), 0.01)
    copied = np.repeat(np.arange(40), weights)
    by_copies = fit_discriminant(values[copied], targets[copied], np.ones(len(copied)), 0.01)
    np.testing.assert_allclose(by_weight.logits(values), by_copies.logits(values), rtol=1e-3, atol=1e-3)


def test_an_answer_below_the_threshold_does_not_count() -> None:
    assert recognition(T1, 0.75).sequence == T1 and recognition(T1, 0.75).plane == "axial"
    assert recognition(T1, 0.6).sequence == ""


def test_slices_of_a_stack_vote() -> None:
    together = combine([recognition(T1, 0.95)] * 4 + [recognition(FLAIR, 0.9, "coronal")])
    assert (together.sequence, together.plane) == (T1, "axial")
    assert together.sequences.sum() == pytest.approx(1)
    assert combine([recognition(T1, 0.75), recognition(CONTRAST, 0.75)]).sequence == ""


def test_both_kinds_come_from_one_description() -> None:
    sequences = Discriminant(np.zeros(2), np.ones(2), np.eye(2, 4), np.zeros(4))
    planes = Discriminant(np.zeros(8), np.ones(8), np.eye(8, 3), np.zeros(3))
    recogniser = SequenceRecogniser(sequences, planes, 0.5, 0.5)
    quarters = np.zeros((1, 4, 2), np.float32)
    quarters[0, :, 1] = 4.0  # T1C+ by the mean; planes see the upper left quarter
    [result] = recogniser.recognise(quarters)
    assert (result.sequence, result.plane) == (CONTRAST, "coronal")


def test_known_samples_leave_out_what_stands_under_two_sequences() -> None:
    rows = [
        ("feltrin44", "T1", "", 1, 1, ""),
        ("feltrin44", "T1C+", "", 1, 1, ""),
        ("feltrin44", "T2", "", 2, 1, ""),
        ("nickparvar", "", "", 3, 2, "mask.png"),
        ("nickparvar", "", "", 4, 3, ""),
        *(("ibsr18", "T1", "sagittal", 10 + number, 4, "") for number in range(9)),
    ]
    table = pd.DataFrame(rows, columns=["source", "sequence", "plane", "picture", "group", "mask"])
    table["file"] = "no such file"
    known = known_samples(table)
    assert list(
        known[["source", "sequence", "plane"]].drop_duplicates().itertuples(index=False, name=None)
    ) == [
        ("feltrin44", "T2", "axial"),
        ("nickparvar", "T1C+", ""),
        ("ibsr18", "T1", "sagittal"),
    ]
    assert len(known) == 2 + 6


@pytest.mark.data
def test_held_out_patients(data_root: Path) -> None:
    samples = split_samples(load_samples(data_root, ("brats18", "ibsr18", "nickparvar")), "patient-disjoint")
    rows = known_samples(samples[samples["part"] == "test"])
    rows = rows[(rows["sequence"] != "") & (rows["plane"] != "")].groupby(["sequence", "plane"]).head(4)
    assert len(rows) == 4 * 3 * 4
    segmenter = Segmenter.load(segmentation_weights())
    recognised = [
        output.recognition for output in segmenter.outputs([read_scan_file(path) for path in rows["path"]])
    ]
    answers = [(each.sequence, each.plane) for each in recognised if each is not None]
    assert len(answers) == len(rows)
    for kind, position in (("sequence", 0), ("plane", 1)):
        right = sum(answer[position] == name for answer, name in zip(answers, rows[kind], strict=True))
        wrong = sum(
            answer[position] not in ("", name) for answer, name in zip(answers, rows[kind], strict=True)
        )
        assert right >= 36 and wrong <= 8, (
            kind,
            right,
            wrong,
        )  # hard ones: BraTS in thick coronal and sagittal slices
