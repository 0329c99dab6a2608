"""Measured on a network whose evidence is known: it points where it looks, and nothing else counts as right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from utils.datasets.protocols import PROTOCOLS, split_samples
from utils.datasets.samples import load_samples
from utils.datasets.tables import DatasetError
from utils.evaluation.evidence_figures import figures_of_evidence, summary
from utils.evaluation.evidence_measurement import measure_evidence
from utils.evaluation.faithfulness import DEPTHS
from utils.evaluation.measurement import store
from utils.evidence.cams import METHODS
from utils.networks.cards import load_card
from utils.reading.reader import Reader
from utils.records.explanations import LocalisationFigures
from utils.results.records import load_explanations, read_evaluations
from utils.scans.upload import read_scan_file
from utils.training.evidence_calibration import calibrate_maps


@pytest.fixture
def samples(masked_set: Path) -> pd.DataFrame:
    return split_samples(load_samples(masked_set), "patient-disjoint")


def part(samples: pd.DataFrame, name: str) -> pd.DataFrame:
    return samples[samples["part"] == name].reset_index(drop=True)


def calibrated(reader: Reader, samples: pd.DataFrame) -> Reader:
    scales, thresholds = calibrate_maps(reader, part(samples, "validation"), 2.0)
    fitted = {"evidence_scale": scales, "evidence_threshold": thresholds}
    reader.card = reader.card.model_copy(update=fitted)
    return reader


def test_scales_and_thresholds_are_those_of_the_validation_scans(bright_reader, samples) -> None:
    reader = calibrated(bright_reader, samples)
    card = reader.card
    assert tuple(card.evidence_scale) == METHODS and set(card.evidence_threshold) == set(METHODS)
    rows = part(samples, "validation")
    assert len(rows) == 8
    peaks = []
    for path in rows.loc[rows["target"] != "no_tumor", "path"]:
        reading = reader.read(read_scan_file(path))
        peaks.append(
            max(reading.maps[reading.classes.index(name)].max() for name in ("glioma", "meningioma")) / 2.0
        )
    assert card.evidence_scale["gradcam"] == pytest.approx(np.percentile(peaks, 75), rel=2e-3)
    assert card.evidence_scale["hirescam"] == pytest.approx(card.evidence_scale["gradcam"], rel=1e-5)
    assert 0 < card.evidence_scale["scorecam"] <= 1
    assert reader.card.region_threshold("gradcam") == pytest.approx(
        card.evidence_scale["gradcam"] * card.evidence_threshold["gradcam"]
    )


def test_without_masks_there_are_scales_and_no_thresholds(bright_reader, samples) -> None:
    scales, thresholds = calibrate_maps(bright_reader, part(samples, "validation").assign(mask=""), 2.0)
    assert set(scales) == set(METHODS) and thresholds == {}
    card = bright_reader.card.model_copy(update={"evidence_scale": scales})
    assert card.region_threshold("gradcam") is None


def test_a_network_that_looks_at_gliomas_points_at_them(bright_reader, samples, tmp_path) -> None:
    reader = calibrated(bright_reader, samples)
    rows = part(samples, "test")
    record, table = measure_evidence(reader, "patient-disjoint", "test", rows, "python model.py evaluate")
    assert (record.n, record.healthy, record.layer) == (6, 2, "cells")
    assert list(record.methods) == list(METHODS)
    figures: Any  # every figure was measured; mypy knows that each may be None
    for method, figures in record.methods.items():
        glioma, meningioma = figures.classes["glioma"], figures.classes["meningioma"]
        assert (glioma.n, meningioma.n, figures.classes["pituitary"].n) == (4, 2, 0)
        assert glioma.pointing == 1 and glioma.energy > 3 * glioma.uniform and glioma.iou > 0.3
        assert glioma.over_uniform == pytest.approx(glioma.energy / glioma.uniform, rel=1e-3)
        assert 0.01 < glioma.uniform < 0.1
        low, high = figures.tumors.energy_interval
        assert low <= figures.tumors.energy <= high
        if method != "scorecam":
            assert glioma.energy > 0.5 and glioma.iou > 0.5
            assert meningioma.pointing == 0 and meningioma.energy == 0  # nothing speaks for it
            assert figures.no_tumor.strength_meningioma == 0 < figures.no_tumor.strength_glioma
        assert figures.strengths["glioma"].strength_glioma > 0.5
        assert figures.no_tumor.n == 2
        assert (
            set(DEPTHS) <= set(figures.randomisation.model_dump(by_alias=True))
            and figures.randomisation.n == 6
        )
        assert figures.faithfulness.n == 6
        assert figures.region_threshold == reader.card.region_threshold(method)
    faithful = table[(table["target"] == "glioma") & (table["method"] == "gradcam")]
    assert (faithful["insertion"] > faithful["deletion"]).all()
    assert record.methods["gradcam"].unit == "logit" and record.methods["layercam"].unit is None
    logged = load_card(reader.card.weights).test_evaluations
    assert [evaluation.protocol for evaluation in logged] == ["patient-disjoint, explanations"]
    assert "Score-CAM" in summary(record)

    file = store(record, table, tmp_path, "explanations")
    assert file.name == "cnn--patient-disjoint--explanations.json"
    assert load_explanations(tmp_path, "cnn", "patient-disjoint") == record
    assert load_explanations(tmp_path, "vgg16", "patient-disjoint") is None
    assert read_evaluations(tmp_path, PROTOCOLS.values()) == (
        [],
        [],
    )  # the other evaluations do not stumble over it
    again = figures_of_evidence(pd.read_csv(file.with_suffix(".csv")), reader.card.evidence_scale)
    assert LocalisationFigures.model_validate(again["gradcam"]["tumors"]) == record.methods["gradcam"].tumors


def test_figures_of_each_sequence_are_those_of_its_scans(bright_reader, samples) -> None:
    reader = calibrated(bright_reader, samples)
    rows = part(samples, "test")
    is_glioma = rows["target"] == "glioma"
    rows["sequence"] = np.where(is_glioma, "T1C+", "")
    record, _ = measure_evidence(reader, "patient-disjoint", "test", rows, "")
    (source,) = set(rows["source"])
    figures = record.methods["gradcam"]
    assert figures.sequences == {
        f"{source}, T1C+": figures.classes["glioma"],
        source: figures.classes["meningioma"],
    }


def test_validation_scans_are_no_opening_and_another_layer_has_no_regions(bright_reader, samples) -> None:
    record, _ = measure_evidence(
        bright_reader, "patient-disjoint", "validation", part(samples, "validation"), "", "spots"
    )
    assert not bright_reader.card.file.exists()
    figures = record.methods["gradcam"]
    assert record.layer == "spots" and figures.tumors.iou is None and figures.scale is None
    assert figures.classes["glioma"].pointing == 1


def test_without_masks_nothing_can_be_measured(bright_reader, samples) -> None:
    with pytest.raises(DatasetError, match="No tumour scan of the test part has a mask"):
        measure_evidence(bright_reader, "patient-disjoint", "test", part(samples, "test").assign(mask=""), "")
    assert not bright_reader.card.file.exists()
