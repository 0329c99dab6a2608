"""The gate before a network's answer: is this a brain MRI slice like those it knows? Fitted, stored, asked. No Keras.

The card holds the method and the thresholds (`novelty`), NAME.npz beside it the statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from utils.networks.cards import Card
from utils.paths import file_sha256
from utils.reading import novelty, orientation

GRADES = ("ok", "unusual", "refused")
REFUSED = "This does not look like a brain MRI slice that the networks know, so their answers are not shown."
REFUSED_BUT_SHOWN = (
    "This does not look like a brain MRI slice that the networks know. Their answers are shown because you wished it; "
    "they mean little."
)
UNUSUAL = "Unusual: this differs from the scans that the networks know. Take their answers with caution."
NOTES = {
    "inverted": "Its surround is brighter than its middle. If this is an inverted scan, turn black to white first.",
    "turned": "This slice seems to be turned by a quarter or half turn. The networks know upright slices only.",
}


@dataclass(frozen=True)
class Described:
    """Scans as the gate sees them: `descriptions` (N, D) float32 of `novelty`, and the N inputs (S, S) uint8."""

    descriptions: np.ndarray
    pictures: Sequence[np.ndarray]


@dataclass(frozen=True)
class Gate:
    """What one network needs to judge a picture. `orientation` are the weights of utils.reading.orientation."""

    familiar: novelty.Familiar
    orientation: np.ndarray
    unusual: float
    refused: float
    turned: float

    def judge(self, features: np.ndarray, picture: np.ndarray) -> tuple[float, str, tuple[str, ...]]:
        """(novelty, grade, flags) of a network input (S, S) uint8 and its evidence layer (h, w, k).

        Flags: "unusual" or "refused" with the grade, "inverted", and "turned" for what is not refused.
        """
        score = float(self.familiar.distance(novelty.describe(features, picture)[None])[0])
        grade = "refused" if score > self.refused else "unusual" if score > self.unusual else "ok"
        flags: tuple[str, ...] = () if grade == "ok" else (grade,)
        if novelty.looks_inverted(picture):
            flags += ("inverted",)
        if grade != "refused" and orientation.turned(picture, self.orientation) > self.turned:
            flags += ("turned",)
        return score, grade, flags


def worst_grade(grades: Iterable[str]) -> str:
    """One network that refuses is enough; "ok" where there is none."""
    return max(grades, key=GRADES.index, default="ok")


def fit_gate(train: Described, validation: Described) -> tuple[Gate, dict[str, Any]]:
    """A gate and what its card says of it: statistics from training scans, thresholds from validation scans."""
    familiar = novelty.fit_familiar(train.descriptions)
    weights = orientation.fit_orientation(train.pictures)
    scores = familiar.distance(validation.descriptions)
    unusual, refused = novelty.fit_thresholds(scores)
    turns = np.asarray([orientation.turned(picture, weights) for picture in validation.pictures])
    gate = Gate(familiar, weights, unusual, refused, orientation.fit_turned_threshold(turns))
    facts = {
        "method": novelty.METHOD,
        "source": novelty.SOURCE,
        "unusual": unusual,
        "refused": refused,
        "turned": gate.turned,
        "fitted_on": {"train": len(train.pictures), "validation": len(validation.pictures)},
        "validation": {
            "unusual_or_refused": round(float(np.mean(scores > unusual)), 5),
            "refused": round(float(np.mean(scores > refused)), 5),
            "turned": round(float(np.mean(turns > gate.turned)), 5),
            "inverted": round(
                float(np.mean([novelty.looks_inverted(one) for one in validation.pictures])), 5
            ),
        },
    }
    return gate, facts


def save_gate(gate: Gate, facts: dict[str, Any], card: Card) -> None:
    """Put the statistics beside what NAME.npz holds already, and the rest into the card."""
    file, held = card.statistics, {}
    if file.is_file():
        with np.load(file, allow_pickle=False) as archive:
            held = {key: archive[key] for key in archive}
    held |= {
        "novelty_mean": gate.familiar.mean,
        "novelty_scale": gate.familiar.scale,
        "novelty_factor": gate.familiar.factor[np.tril_indices(len(gate.familiar.mean))],
        "novelty_scans": gate.familiar.scans,
        "orientation_weights": gate.orientation,
    }
    np.savez_compressed(file, **held)
    card.facts["novelty"] = facts | {"statistics_sha256": file_sha256(file)}
    card.save()


def load_gate(card: Card) -> Gate | None:
    """The gate of a network; None where its card is older than this gate. `cards.check_weights` comes first."""
    facts = card.facts.get("novelty")
    if not facts or facts["method"] != novelty.METHOD:
        return None
    with np.load(card.statistics, allow_pickle=False) as archive:
        mean, scale, packed, scans, weights = (
            archive[key]
            for key in (
                *(f"novelty_{part}" for part in ("mean", "scale", "factor", "scans")),
                "orientation_weights",
            )
        )
    factor = np.zeros((len(mean), len(mean)), np.float32)
    factor[np.tril_indices(len(mean))] = packed
    familiar = novelty.Familiar(mean, scale, factor, scans)
    return Gate(familiar, weights, facts["unusual"], facts["refused"], facts["turned"])
