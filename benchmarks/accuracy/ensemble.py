"""The ensemble on test scans, from the stored predictions of its networks. See docs/results.md.

Run it with `python -m benchmarks.accuracy.ensemble`; no network is loaded. With `--data DIR` also its answers on
slices of OASIS with and without dementia.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import print_table
from utils.classes import CLASSES
from utils.datasets.protocols import PROTOCOLS, split_samples
from utils.datasets.samples import load_samples
from utils.metrics.calibration import accuracy_at_coverage
from utils.metrics.detection import detection_figures
from utils.networks.cards import load_card
from utils.networks.registry import app_networks, segmenters
from utils.networks.shipped import load_ensemble, segmentation_weights
from utils.paths import models_folder
from utils.results.ensemble import ensemble_predictions
from utils.results.records import MeasuredModel, load_tumor_scores
from utils.results.track_record import of_known_type, referral_statement

TESTS = ("patient-disjoint", "all-collections")  # both on fold 0


def predictions(protocol: str, models: Path | None = None) -> pd.DataFrame:
    """`ensemble_predictions` of the test scans of a protocol. Raises ValueError where something was not stored."""
    folder = (models or models_folder()) / "evaluation"
    ensemble = load_ensemble(models)
    version = load_card(segmentation_weights(models)).version
    scores = load_tumor_scores(folder, segmenters()[0], protocol, version)
    members = [
        MeasuredModel(name, PROTOCOLS[protocol], pd.read_csv(folder / f"{name}--{protocol}.csv"))
        for name in app_networks()
    ]
    table = ensemble_predictions(members, ensemble.detection, scores) if ensemble else None
    if table is None:
        raise ValueError(f"The ensemble has no stored predictions on {protocol}.")
    return table


def figures(table: pd.DataFrame, models: Path | None = None) -> dict[str, Any]:
    """n, type, surest (the surest 80 %), answered, accuracy, and the figures of detection; shares 0..1."""
    ensemble = load_ensemble(models)
    assert ensemble is not None
    known = of_known_type(table)
    targets = known["target"].map(CLASSES.index).to_numpy()
    answered, accuracy = referral_statement(table, ensemble.referral_thresholds) or (0.0, None)
    result: dict[str, Any] = {
        "n": len(known),
        "type": float((known["label"] == known["target"]).mean()),
        "surest": accuracy_at_coverage(known[list(CLASSES)].to_numpy(), targets, 0.8),
        "answered": answered,
        "accuracy": accuracy,
    }
    is_tumor = (table["target"] != "no_tumor").to_numpy()
    if is_tumor.all() or not is_tumor.any():
        return result
    groups = table["group"].to_numpy()
    return result | detection_figures(1 - table["no_tumor"].to_numpy(), is_tumor, groups, 0.5)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets, for the scans with dementia")
    options = parser.parse_args(arguments)
    columns = ("n", "type", "surest", "answered", "accuracy", "auc", "sensitivity_at_95_specificity")
    for protocol in TESTS:
        table = predictions(protocol)
        parts = {"all": table} | dict(iter(table.groupby("source")))
        rows = [["", *columns]]
        for name, part in parts.items():
            values = figures(part)
            rows.append([str(name), *(_in_words(values, column) for column in columns)])
        print_table(f"Ensemble, {protocol}, fold 0", rows)
    if options.data:
        _print_dementia(options.data, table)


def _in_words(values: dict[str, Any], column: str) -> str:
    value, interval = values.get(column), values.get(f"{column}_interval")
    if value is None:
        return "-"
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text if interval is None else f"{text} ({interval[0]:.3f}-{interval[1]:.3f})"


def _print_dementia(data: Path, table: pd.DataFrame) -> None:
    sources = ("oasis_alz", "oasis2")
    samples = split_samples(load_samples(data, sources), "patient-disjoint").drop_duplicates(
        ["file", "source"]
    )
    joined = table.merge(samples[["file", "source", "health"]], on=["file", "source"])
    rows = [["OASIS", "slices", "people", "called a tumour"]]
    for health, part in joined.groupby("health"):
        called = int(np.sum(part["label"] != "no_tumor"))
        rows.append([str(health) or "no dementia", str(len(part)), str(part["group"].nunique()), str(called)])
    print_table("Ensemble, people with dementia", rows)


if __name__ == "__main__":
    main()
