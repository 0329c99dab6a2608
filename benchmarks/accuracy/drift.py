"""The drift monitor in simulation: false alarms, and how soon a collection that was left out of training is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from utils.acceptance.drift import ANSWERS, LOOKS, compared
from utils.classes import CLASSES
from utils.datasets.protocols import external_test, shipped_protocol, split_samples
from utils.datasets.samples import load_samples
from utils.networks.shipped import reading_networks
from utils.reading.reader import BATCH, Reader
from utils.records.acceptance import Distributions, DriftSimulation
from utils.scans.upload import read_scan_file

LEFT_OUT = ("lgg", "feltrin44")  # networks that were trained without these are in models/experiments
MOST_SCANS = 500  # of a collection, that profiles and streams are drawn from
PROFILE_SCANS = 100
SITES = 2000
NO_TUMOR = CLASSES.index("no_tumor")


def simulated(data: Path, most: int = MOST_SCANS, sites: int = SITES) -> dict[str, DriftSimulation]:
    """Stream -> alarms, for profiles of PROFILE_SCANS held-out scans of collections that the network was trained on."""
    samples = load_samples(data, shipped_protocol().sets)
    test = split_samples(samples, shipped_protocol().name)
    test = test[test["part"] == "test"]
    own = _values([Reader.load(file) for file in reading_networks()], _some(test, most))
    result = {"the app's networks, no shift": _alarms(own, own, sites)}
    for source in LEFT_OUT:
        reader = Reader.load(external_test(source).networks_folder() / "cnn.keras")
        known = _values([reader], _some(test[test["source"] != source], most))
        unseen = samples[(samples["source"] == source) & (samples["label"] != "other_tumor")]
        result[f"CNN without {source}, no shift"] = _alarms(known, known, sites)
        shifted = _values([reader], _some(unseen, most))
        result[f"CNN without {source}, scans of it"] = _alarms(known, shifted, sites)
    return result


def _some(samples: pd.DataFrame, most: int) -> list[str]:
    """Paths of at most so many samples, drawn at random."""
    return list(samples.sample(min(most, len(samples)), random_state=0)["path"])


def _values(readers: list[Reader], paths: list[str]) -> dict[str, np.ndarray]:
    """Feature -> (N,) values of scans, as the app compares them; the mean of the networks stands for the ensemble."""
    rows = []
    for start in range(0, len(paths), BATCH):
        scans = [read_scan_file(path) for path in paths[start : start + BATCH]]
        for readings in zip(*(reader.read_many(scans, with_maps=False) for reader in readers), strict=True):
            tumor = np.mean([1 - reading.probabilities[NO_TUMOR] for reading in readings])
            rows.append({ANSWERS: tumor} | {reading.network: reading.novelty for reading in readings})
    return {name: column.to_numpy(float) for name, column in pd.DataFrame(rows).items()}


def _alarms(known: dict[str, np.ndarray], stream: dict[str, np.ndarray], sites: int) -> DriftSimulation:
    """The share of sites with an alarm at any of LOOKS. Profile and stream have no scan in common."""
    random = np.random.default_rng(0)
    alarms = 0
    for _ in range(sites):
        order = random.permutation(len(known[ANSWERS]))
        chosen, rest = order[:PROFILE_SCANS], order[PROFILE_SCANS:]
        read = rest if known is stream else random.permutation(len(stream[ANSWERS]))
        profile = Distributions(
            tumor_probability=tuple(known[ANSWERS][chosen]),
            novelty={name: tuple(values[chosen]) for name, values in known.items() if name != ANSWERS},
        )
        alarms += any(
            compared(profile, {name: values[read[:look]] for name, values in stream.items()}).departing
            for look in LOOKS
        )
    return DriftSimulation(sites=sites, alarmed=round(alarms / sites, 4))
