"""The out-of-distribution detector: is an image a brain MRI slice like the training scans? No Keras.

The card holds the method and the thresholds (`card_facts.NoveltyFacts`), NAME.npz beside it the statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from utils.networks.card_facts import DetectorRates, DetectorSamples, NoveltyFacts
from utils.networks.cards import Card, save_card, save_statistics
from utils.paths import file_sha256
from utils.reading import novelty, orientation

GRADES = ("ok", "unusual", "refused")
REFUSED = "This does not look like a brain MRI slice; the results of the models are not shown."
REFUSED_BUT_SHOWN = (
    "This does not look like a brain MRI slice. The results are shown at your request and are unreliable."
)
UNUSUAL = "Unusual scan: it differs from the training data; interpret the results with caution."
NOTES = {
    "inverted": "The background is brighter than the head. If the grayscale is inverted, correct it first.",
    "turned": "This slice seems to be rotated by a quarter or half turn. The models were trained on upright slices.",
}


@dataclass(frozen=True)
class DescribedScans:
    """N scans as the detector sees them.

    `descriptions` (N, D) float32 as of `novelty.describe`, and the network inputs `images`, N times (S, S) uint8.
    """

    descriptions: np.ndarray
    images: Sequence[np.ndarray]


@dataclass(frozen=True)
class OutOfDistributionDetector:
    """Statistics and thresholds of one network's detector.

    `orientation` holds the weights of the classifier in utils/reading/orientation.py. Scores above `unusual` and
    `refused` get that grade; `turned` is the threshold of the orientation score.
    """

    training_scans: novelty.TrainingScans
    orientation: np.ndarray
    unusual: float
    refused: float
    turned: float

    def judge(self, features: np.ndarray, image: np.ndarray) -> tuple[float, str, tuple[str, ...]]:
        """(novelty, grade, flags) of a network input (S, S) uint8 and its evidence layer (h, w, k).

        Flags: "unusual" or "refused" with the grade, "inverted", and "turned" where the grade is not "refused".
        """
        score = float(self.training_scans.distance(novelty.describe(features, image)[None])[0])
        grade = "refused" if score > self.refused else "unusual" if score > self.unusual else "ok"
        flags: tuple[str, ...] = () if grade == "ok" else (grade,)
        if novelty.looks_inverted(image):
            flags += ("inverted",)
        if grade != "refused" and orientation.turned_score(image, self.orientation) > self.turned:
            flags += ("turned",)
        return score, grade, flags


def worst_grade(grades: Iterable[str]) -> str:
    """The worst of the networks' grades; "ok" where there is none."""
    return max(grades, key=GRADES.index, default="ok")


def fit_detector(train: DescribedScans, validation: DescribedScans) -> OutOfDistributionDetector:
    """A detector with statistics from training scans and thresholds from validation scans."""
    training_scans = novelty.fit_training_scans(train.descriptions)
    weights = orientation.fit_orientation(train.images)
    unusual, refused = novelty.fit_thresholds(training_scans.distance(validation.descriptions))
    turned = orientation.fit_turned_threshold(_turned_scores(validation, weights))
    return OutOfDistributionDetector(training_scans, weights, unusual, refused, turned)


def save_detector(
    detector: OutOfDistributionDetector, train: DescribedScans, validation: DescribedScans, card: Card
) -> Card:
    """Add the statistics to NAME.npz and the thresholds to the card; returns the card as it is now stored.

    train, validation: the scans that the detector was fitted on.
    """
    arrays = {}
    if card.statistics.is_file():
        with np.load(card.statistics, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive}
    scans = detector.training_scans
    arrays |= {
        "novelty_mean": scans.mean,
        "novelty_scale": scans.scale,
        "novelty_factor": scans.factor[np.tril_indices(len(scans.mean))],
        "novelty_scans": scans.whitened_scans,
        "orientation_weights": detector.orientation,
    }
    save_statistics(card.statistics, **arrays)
    facts = NoveltyFacts(
        method=novelty.METHOD,
        source=novelty.SOURCE,
        unusual=detector.unusual,
        refused=detector.refused,
        turned=detector.turned,
        fitted_on=DetectorSamples(train=len(train.images), validation=len(validation.images)),
        validation=_rates(detector, validation),
        statistics_sha256=file_sha256(card.statistics),
    )
    changed = card.model_copy(update={"novelty": facts})
    save_card(changed)
    return changed


def load_detector(card: Card) -> OutOfDistributionDetector | None:
    """The detector of a network; None where its card is older than this method.

    The statistics are those of the card where `cards.check_weights` was called before.
    """
    facts = card.novelty
    if facts is None or facts.method != novelty.METHOD:
        return None
    with np.load(card.statistics, allow_pickle=False) as archive:
        mean, scale, packed, scans = (
            archive[f"novelty_{part}"] for part in ("mean", "scale", "factor", "scans")
        )
        weights = archive["orientation_weights"]
    factor = np.zeros((len(mean), len(mean)), np.float32)
    factor[np.tril_indices(len(mean))] = packed
    training_scans = novelty.TrainingScans(mean, scale, factor, scans)
    return OutOfDistributionDetector(training_scans, weights, facts.unusual, facts.refused, facts.turned)


def _rates(detector: OutOfDistributionDetector, validation: DescribedScans) -> DetectorRates:
    scores = detector.training_scans.distance(validation.descriptions)
    turned = _turned_scores(validation, detector.orientation) > detector.turned
    inverted = [novelty.looks_inverted(image) for image in validation.images]
    return DetectorRates(
        unusual_or_refused=_share(scores > detector.unusual),
        refused=_share(scores > detector.refused),
        turned=_share(turned),
        inverted=_share(np.asarray(inverted)),
    )


def _share(flags: np.ndarray) -> float:
    return round(float(np.mean(flags)), 5)


def _turned_scores(scans: DescribedScans, weights: np.ndarray) -> np.ndarray:
    return np.asarray([orientation.turned_score(image, weights) for image in scans.images])
