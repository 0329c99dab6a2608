"""How far evidence maps can be trusted, measured on tumour scans whose outline is known: `evaluate --explanations`.

Every figure is about the map of the class that the tumour is of, whatever the network answered.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import TUMORS
from utils.datasets.masks import read_mask
from utils.datasets.samples import DatasetError
from utils.evaluation.faithfulness import DEPTHS, area_under, deletion, insertion, randomised, similarity
from utils.evaluation.localisation import energy_inside, points_at, uniform_energy_inside
from utils.evidence.cams import GRADIENT_METHODS, IN_LOGITS, METHOD_TITLES, METHODS
from utils.evidence.regions import overlap, strongest_part
from utils.metrics.bootstrap import RESAMPLES, group_sums, group_weights, ratio, with_interval
from utils.metrics.classification import softmax
from utils.networks.card_facts import TestEvaluation
from utils.networks.cards import log_test_evaluation
from utils.paths import current_commit
from utils.reading.reader import BATCH, Reader, Reading
from utils.scans.preprocessing import as_input, foreground, preprocess
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file

SAMPLE = 150  # scans for all that takes many forward passes: insertion and deletion, and Score-CAM
RANDOMISED = 30  # of them with shuffled weights: Score-CAM again, at every depth
LOCALISATION = ("pointing", "energy", "uniform", "iou")
FAITHFULNESS = ("insertion", "deletion")
STRENGTHS = tuple(f"strength_{name}" for name in TUMORS)


def measure_evidence(
    reader: Reader, protocol: str, part: str, rows: pd.DataFrame, command: str, layer: str | None = None
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The figures (JSON-ready) and the table that they come from, one row a scan and method.

    rows: the samples of the protocol's `part`, "test" or "validation"; opening the test part is logged in the card.
    Scale and threshold of the regions are the card's, for its evidence layer; at another `layer` there is no overlap
    to tell. Raises DatasetError where no tumour scan among the rows has a mask.
    """
    tumours = rows[(rows["mask"] != "") & rows["target"].isin(TUMORS)]
    healthy = rows[rows["target"] == "no_tumor"]
    if tumours.empty:
        raise DatasetError(f"No tumour scan of the {part} part has a mask to measure the maps against.")
    card = reader.card
    layer = layer or card.evidence_layer
    sampled, more = _sample(tumours, SAMPLE)
    scored, others = _sample(healthy, SAMPLE // 3)
    records: list[dict] = []
    kept: dict[str, dict[str, Reading]] = {}
    for row, scan, readings in _explained(reader, sampled, METHODS, layer, "tumours, every method"):
        records += _records(reader, row, scan, readings, with_curves=True)
        if len(kept) < RANDOMISED:
            kept[row.path] = readings
    for row, scan, readings in _explained(reader, more, GRADIENT_METHODS, layer, "tumours, gradients"):
        records += _records(reader, row, scan, readings)
    for part_of, methods in ((scored, METHODS), (others, GRADIENT_METHODS)):
        for row, scan, readings in _explained(reader, part_of, methods, layer, "no tumour"):
            records += _records(reader, row, scan, readings)
    table = pd.DataFrame(records).astype({name: float for name in (*LOCALISATION, *FAITHFULNESS)})
    table = table.merge(
        _similarities(reader, sampled, kept, layer), on=["source", "file", "method"], how="left"
    )
    at_evidence = layer == card.evidence_layer
    scales = card.evidence_scale if at_evidence else {}
    result: dict[str, Any] = {
        "model": card.name, "protocol": protocol, "part": part, "date": datetime.date.today().isoformat(),
        "commit": current_commit(), "command": command, "weights_sha256": card.version, "layer": layer,
        "n": len(tumours), "healthy": len(healthy), "methods": figures_of_evidence(table, scales),
    }  # fmt: skip
    for method, figures in result["methods"].items():
        figures["region_threshold"] = card.region_threshold(method) if at_evidence else None
    if part == "test":
        evaluation = {name: result[name] for name in ("date", "commit", "weights_sha256")}
        scans = len(tumours) + len(healthy)
        log_test_evaluation(card, TestEvaluation(protocol=f"{protocol}, explanations", n=scans, **evaluation))
    return result, table


def figures_of_evidence(table: pd.DataFrame, scales: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """{method: figures with 95 % intervals over groups} of a table as `measure_evidence` returns it.

    `tumors` and each of `classes`: pointing game, energy in the mask, the energy that a map even all over the head has
    there, how many times that it is, and the region's overlap (IoU). `faithfulness`: the areas of insertion and
    deletion. `randomisation`: rank correlation with the map of the network whose weights are shuffled that deep.
    `no_tumor`: the peak of each tumour class's map on scans without tumour; `strengths` the same on those with one of
    that class; both over the scale, 1 is full colour (calibrated where there is no scale).
    """
    figures: dict[str, dict[str, Any]] = {}
    for method, rows in table.groupby("method", sort=False):
        method = str(method)
        rows = rows.assign(**{name: rows[name] / scales.get(method, 1.0) for name in STRENGTHS})
        tumours, healthy = rows[rows["target"] != "no_tumor"], rows[rows["target"] == "no_tumor"]
        figures[method] = {
            "title": METHOD_TITLES[method],
            "unit": "logit" if method in IN_LOGITS else None,
            "scale": scales.get(method),
            "tumors": _localisation(tumours),
            "classes": {name: _localisation(tumours[tumours["target"] == name]) for name in TUMORS},
            "faithfulness": _means(tumours, FAITHFULNESS),
            "randomisation": _means(tumours, tuple(DEPTHS)),
            "no_tumor": _means(healthy, STRENGTHS),
            "strengths": {
                name: _means(tumours[tumours["target"] == name], (f"strength_{name}",)) for name in TUMORS
            },
        }
    return figures


def summary(result: dict[str, Any]) -> str:
    """The figures as a table to print, one line a method."""
    lines = [f"{'':12}{'pointing':>20}{'energy':>9}{'over uniform':>14}{'IoU':>7}{'insertion':>11}{'deletion':>10}"
             f"{'head shuffled':>15}   pointing by class"]  # fmt: skip
    for figures in result["methods"].values():
        all_tumours = figures["tumors"]
        low, high = all_tumours["pointing_interval"] or (np.nan, np.nan)
        by_class = ", ".join(
            f"{name} {_shown(part['pointing'], 3)}" for name, part in figures["classes"].items() if part["n"]
        )
        pointing = f"{_shown(all_tumours['pointing'], 3)} ({low:.3f}-{high:.3f})"
        lines.append(
            f"{figures['title']:12}{pointing:>20}{_shown(all_tumours['energy'], 3):>9}"
            f"{_shown(all_tumours['over_uniform'], 1):>14}{_shown(all_tumours['iou'], 3):>7}"
            f"{_shown(figures['faithfulness']['insertion'], 3):>11}{_shown(figures['faithfulness']['deletion'], 3):>10}"
            f"{_shown(figures['randomisation']['head'], 2):>15}   {by_class}"
        )
    return "\n".join(lines)


def _shown(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


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


def _records(
    reader: Reader, row: Any, scan: Scan, readings: dict[str, Reading], with_curves: bool = False
) -> list[dict]:
    """One line of the table for each method."""
    known = {name: getattr(row, name) for name in ("file", "source", "group", "target")}
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
                logits = reader.answer(as_input(change(picture, evidence)))
                areas[same][name] = area_under(softmax(logits / reading.temperature)[:, index])
        result[method] = areas[same]
    return result


def _similarities(
    reader: Reader, rows: pd.DataFrame, kept: dict[str, dict[str, Reading]], layer: str
) -> pd.DataFrame:
    """`source`, `file`, `method` and a column for each of DEPTHS: how alike the maps stay when weights are shuffled."""
    rows = rows[rows["path"].isin(kept)]
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for depth, share in DEPTHS.items():
        stranger = Reader(randomised(reader.network, share), reader.card)
        for row, _, readings in _explained(stranger, rows, METHODS, layer, f"shuffled: {depth}"):
            index = reader.classes.index(row.target)
            for method, reading in readings.items():
                alike = similarity(kept[row.path][method].maps[index], reading.maps[index])
                found.setdefault((row.source, row.file, method), {})[depth] = alike
    keys = ("source", "file", "method")
    return pd.DataFrame([dict(zip(keys, key, strict=True)) | values for key, values in found.items()])


def _localisation(rows: pd.DataFrame) -> dict[str, Any]:
    result, values = _resampled(rows, LOCALISATION)
    times = None if values is None else ratio(values["energy"], values["uniform"])
    return result | with_interval("over_uniform", times)


def _means(rows: pd.DataFrame, names: Sequence[str]) -> dict[str, Any]:
    return _resampled(rows[rows[names[0]].notna()], names)[0]


def _resampled(
    rows: pd.DataFrame, names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, np.ndarray] | None]:
    """n, groups and the mean of each column with its interval; and the means (1 + R,) of every resample."""
    if rows.empty:
        none = {key: None for name in names for key in (name, f"{name}_interval")}
        return {"n": 0, "groups": 0} | none, None
    group_of = pd.factorize(rows["group"])[0]
    weights = group_weights(group_of, RESAMPLES, 0)
    columns = np.column_stack([np.ones(len(rows)), rows[list(names)].to_numpy(float)])
    sums = weights @ group_sums(columns, group_of)
    values = {name: sums[:, number] / sums[:, 0] for number, name in enumerate(names, start=1)}
    result: dict[str, Any] = {"n": len(rows), "groups": int(group_of.max()) + 1}
    for name, value in values.items():
        result |= with_interval(name, value)
    return result, values
