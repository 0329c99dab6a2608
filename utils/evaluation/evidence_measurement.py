"""How faithful evidence maps are, on tumour scans with a reference segmentation: `evaluate --explanations`.

Every figure is about the map of the tumour's own class, whatever the network predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import TUMORS
from utils.datasets.masks import read_mask
from utils.datasets.tables import DatasetError
from utils.evaluation.evidence_figures import FAITHFULNESS, LOCALISATION, figures_of_evidence
from utils.evaluation.faithfulness import DEPTHS, area_under, deletion, insertion, randomised, similarity
from utils.evaluation.localisation import energy_inside, points_at, uniform_energy_inside
from utils.evaluation.measurement import log_test, network_facts
from utils.evidence.cams import GRADIENT_METHODS, METHODS
from utils.evidence.regions import overlap, strongest_part
from utils.metrics.classification import softmax
from utils.reading.reader import BATCH, Reader, Reading
from utils.records.explanations import ExplanationsRecord
from utils.scans.preprocessing import as_input, foreground, preprocess
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file


def measure_evidence(
    reader: Reader,
    protocol: str,
    part: str,
    rows: pd.DataFrame,
    command: str,
    layer: str | None = None,
    sample: int = 150,
) -> tuple[ExplanationsRecord, pd.DataFrame]:
    """The record and the table that they come from, one row a scan and method.

    rows: the samples of the protocol's `part`, "test" or "validation"; an evaluation of the test part is logged in the
    card. Scale and threshold of the regions are the card's, for its evidence layer; at another `layer` there is no
    overlap. `sample` tumour scans, and a third as many without, are also measured with what takes many forward passes;
    a fifth of them with shuffled weights, too. Raises DatasetError where no tumour scan among the rows has a mask.
    """
    tumours = rows[(rows["mask"] != "") & rows["target"].isin(TUMORS)]
    healthy = rows[rows["target"] == "no_tumor"]
    if tumours.empty:
        raise DatasetError(f"No tumour scan of the {part} part has a mask to measure the maps against.")
    card = reader.card
    layer = layer or card.evidence_layer
    is_evidence_layer = layer == card.evidence_layer
    table = _evidence_table(reader, tumours, healthy, layer, sample)
    scales = card.evidence_scale if is_evidence_layer else {}
    figures = figures_of_evidence(table, scales)
    thresholds = {method: card.region_threshold(method) if is_evidence_layer else None for method in figures}
    facts = {
        **network_facts(card, protocol, command),
        "part": part,
        "layer": layer,
        "n": len(tumours),
        "healthy": len(healthy),
        "methods": {
            method: row | {"region_threshold": thresholds[method]} for method, row in figures.items()
        },
    }
    if part == "test":
        log_test(card, f"{protocol}, explanations", len(tumours) + len(healthy))
    return ExplanationsRecord.model_validate(facts), table


def _evidence_table(
    reader: Reader, tumours: pd.DataFrame, healthy: pd.DataFrame, layer: str, sample: int
) -> pd.DataFrame:
    """One row a scan and method; what takes many forward passes is measured on `sample` tumour scans alone."""
    sampled, more = _sample(tumours, sample)
    sampled_healthy, more_healthy = _sample(healthy, sample // 3)
    rows: list[dict] = []
    kept: dict[str, dict[str, Reading]] = {}
    for row, scan, readings in _explained(reader, sampled, METHODS, layer, "tumours, every method"):
        rows += _table_rows(reader, row, scan, readings, with_curves=True)
        if len(kept) < sample // 5:
            kept[row.path] = readings
    for row, scan, readings in _explained(reader, more, GRADIENT_METHODS, layer, "tumours, gradients"):
        rows += _table_rows(reader, row, scan, readings)
    for samples, methods in ((sampled_healthy, METHODS), (more_healthy, GRADIENT_METHODS)):
        for row, scan, readings in _explained(reader, samples, methods, layer, "no tumour"):
            rows += _table_rows(reader, row, scan, readings)
    table = pd.DataFrame(rows).astype({name: float for name in (*LOCALISATION, *FAITHFULNESS)})
    return table.merge(
        _similarities(reader, sampled, kept, layer), on=["source", "file", "method"], how="left"
    )


def _sample(rows: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same `count` rows every time, with the classes' shares and mixed, and the rest."""
    if len(rows) <= count:
        return rows.sample(frac=1, random_state=0), rows.iloc[:0]
    drawn = rows.groupby("target").sample(frac=count / len(rows), random_state=0)
    return drawn.sample(frac=1, random_state=0), rows.drop(drawn.index)


def _explained(
    reader: Reader, rows: pd.DataFrame, methods: Sequence[str], layer: str, words: str
) -> Iterator[tuple[Any, Scan, dict[str, Reading]]]:
    """(row, scan, its readings by method), in order; the forward passes in batches."""
    entries = list(rows.itertuples(index=False))
    for start in tqdm(range(0, len(entries), BATCH), desc=f"{reader.card.name}, {words}", unit="batch"):
        batch = entries[start : start + BATCH]
        scans = [read_scan_file(row.path) for row in batch]
        readings = reader.read_many(scans, with_maps=False)
        yield from zip(batch, scans, reader.explain_many(scans, readings, methods, layer), strict=True)


def _table_rows(
    reader: Reader, row: Any, scan: Scan, readings: dict[str, Reading], with_curves: bool = False
) -> list[dict]:
    """One line of the table for each method."""
    known = {name: getattr(row, name) for name in ("file", "source", "sequence", "group", "target")}
    empty = dict.fromkeys((*LOCALISATION, *FAITHFULNESS))
    measured: dict[str, dict[str, float | None]] = {
        method: {**_strengths(reading)} for method, reading in readings.items()
    }
    if row.target != "no_tumor":
        mask = read_mask(row.mask, scan.shape) > 127
        uniform = uniform_energy_inside(foreground(scan.pixels), mask)
        for method, reading in readings.items():
            strength = reading.strength(row.target, 1.0)
            threshold = reader.card.region_threshold(method)
            if reading.layer != reader.card.evidence_layer:
                threshold = None
            measured[method] |= {
                "pointing": points_at(strength, mask),
                "energy": energy_inside(strength, mask),
                "uniform": uniform,
                "iou": None if threshold is None else overlap(strongest_part(strength, threshold), mask),
            }
        if with_curves:
            for method, curves in _curves(reader, scan, row.target, readings).items():
                measured[method] |= curves
    return [known | {"method": method} | empty | values for method, values in measured.items()]


def _strengths(reading: Reading) -> dict[str, float]:
    return {
        f"strength_{name}": float(reading.maps[reading.classes.index(name)].max()) * reading.calibration
        for name in TUMORS
    }


def _curves(
    reader: Reader, scan: Scan, label: str, readings: dict[str, Reading]
) -> dict[str, dict[str, float]]:
    """The areas of insertion and deletion for each method; methods with the same map share the forward passes."""
    picture = preprocess(scan.pixels, reader.size)[0]
    index = reader.classes.index(label)
    areas: dict[bytes, dict[str, float]] = {}
    result = {}
    for method, reading in readings.items():
        evidence = reading.maps[index]
        same = np.round(evidence / max(float(evidence.max()), 1e-12), 3).tobytes()
        if same not in areas:
            areas[same] = {}
            for name, change in (("insertion", insertion), ("deletion", deletion)):
                logits = reader.predict_logits(as_input(change(picture, evidence)))
                areas[same][name] = area_under(softmax(logits / reading.temperature)[:, index])
        result[method] = areas[same]
    return result


def _similarities(
    reader: Reader, rows: pd.DataFrame, kept: dict[str, dict[str, Reading]], layer: str
) -> pd.DataFrame:
    """`source`, `file`, `method` and a column for each of DEPTHS: how alike the maps stay when weights are shuffled."""
    rows = rows[rows["path"].isin(kept)]
    correlations: dict[tuple[str, str, str], dict[str, float]] = {}
    for depth, share in DEPTHS.items():
        shuffled = Reader.of_network(randomised(reader.network, share), reader.card)
        for row, _, readings in _explained(shuffled, rows, METHODS, layer, f"shuffled: {depth}"):
            index = reader.classes.index(row.target)
            for method, reading in readings.items():
                alike = similarity(kept[row.path][method].maps[index], reading.maps[index])
                correlations.setdefault((row.source, row.file, method), {})[depth] = alike
    keys = ("source", "file", "method")
    return pd.DataFrame([dict(zip(keys, key, strict=True)) | values for key, values in correlations.items()])
