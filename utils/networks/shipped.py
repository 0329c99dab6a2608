"""Which networks are shipped and where they lie, and what holds for all of them: map scale, ensemble threshold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from utils.networks.card_facts import FOUR_CLASS, SUBTYPES
from utils.networks.cards import Card, NetworkUnavailable, load_card
from utils.networks.registry import app_networks, segmenters
from utils.networks.runtime.choice import served
from utils.paths import models_folder, shown
from utils.records.base import InvalidRecord, Record, read_record

ENSEMBLE = "ensemble.json"  # in the models folder
SUBTYPE_NETWORK = Path("experiments") / "feltrin44" / "mobilenetv2.keras"  # below the models folder


class EnsembleValidation(Record):
    """Shares (0..1) of `n` validation scans: the networks agree, they answer, the answer is correct."""

    n: int
    agreed: float
    answered: float
    accuracy: float | None


class UnseenFigures(Record):
    """What the ensemble reaches on `n` scans of families of collections that no network had seen, with weights that
    were fitted on other families. Shares 0..1; `accuracy` is that of the `answered` scans, as is
    `accuracy_on_tumors` of those with a tumour."""

    n: int
    auc: float
    sensitivity_at_95_specificity: float
    answered: float
    accuracy: float | None
    accuracy_on_tumors: float | None


class DetectionWeights(Record):
    """Logistic regression of the networks' log-odds of a tumour; `weights` has one for each network that it uses.

    `fitted_on`: protocol -> number of scans, of collections that the networks which read them had never seen.
    """

    intercept: float
    weights: Mapping[str, float]
    fitted_on: Mapping[str, int]


class Ensemble(Record):
    """models/ensemble.json: how the networks' outputs become one answer, and from which probability on it counts.

    `referral_thresholds`: class -> the probability from which on an answer of it counts. Without `detection` the answer
    is the mean of the classifiers' probabilities. `weights_sha256`: of the networks that it was fitted for. `unseen`:
    protocol -> figures.
    """

    weights_sha256: Mapping[str, str]
    referral_thresholds: Mapping[str, float]
    detection: DetectionWeights | None = None
    validation: EnsembleValidation | None = None
    unseen: Mapping[str, UnseenFigures] = {}
    command: str = ""
    date: str = ""
    commit: str = ""


def reading_networks(models: Path | None = None) -> list[Path]:
    """Weights files of the app's four-class networks: those of the registry first, then any other with a card."""
    models = models or models_folder()
    shipped = app_networks()
    added = [
        card.weights
        for card in _cards(sorted(models.glob("*.json")))
        if card.file.stem not in shipped and card.task == FOUR_CLASS
    ]
    return [models / f"{name}.keras" for name in shipped] + added


def segmentation_weights(models: Path | None = None) -> Path:
    """The weights file of the network that segments tumours."""
    return (models or models_folder()) / f"{segmenters()[0]}.keras"


def subtype_weights(models: Path | None = None) -> Path | None:
    """The weights file of the network of subtypes; None where it is not there."""
    weights = (models or models_folder()) / SUBTYPE_NETWORK
    try:
        return weights if load_card(weights).task == SUBTYPES else None
    except NetworkUnavailable:
        return None


def evidence_scale(method: str = "gradcam", models: Path | None = None) -> float:
    """The strength at which a map is drawn in full colour: one for all classes and networks.

    In calibrated logits, for Score-CAM a probability (`Reading.strength`). It is the mean of what the cards of the
    app's networks measured on validation scans; 1 where none did.
    """
    scales = [card.evidence_scale.get(method, 0.0) for card in map(served, _cards(reading_networks(models)))]
    measured = [scale for scale in scales if scale > 0]
    return sum(measured) / len(measured) if measured else 1.0


def scaled_methods(models: Path | None = None) -> tuple[str, ...]:
    """The methods that the cards of all the app's networks have a scale for: older cards have Grad-CAM alone."""
    scales = [card.evidence_scale for card in _cards(reading_networks(models))]
    return tuple(
        method for method in (scales[0] if scales else ()) if all(method in scale for scale in scales)
    )


def load_ensemble(models: Path | None = None) -> Ensemble | None:
    """The record of the ensemble; None where it was not fitted for the very weights that the app reads with."""
    models = models or models_folder()
    try:
        record = read_record(models / ENSEMBLE, Ensemble)
        files = reading_networks(models)
        if record.detection is not None and segmenters()[0] in record.detection.weights:
            files.append(segmentation_weights(models))
        versions = {file.stem: load_card(file).version for file in files}
    except (OSError, InvalidRecord, NetworkUnavailable):
        return None
    return record if record.weights_sha256 == versions else None


def ensemble_problem(models: Path | None = None) -> str:
    """Why the ensemble's file cannot be read, as a sentence; "" where it can, or there is none."""
    file = (models or models_folder()) / ENSEMBLE
    try:
        read_record(file, Ensemble)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"{shown(file)} cannot be read ({error.strerror or error})."
    except InvalidRecord as error:
        return str(error)
    return ""


def _cards(weights: list[Path]) -> list[Card]:
    """The cards that can be read."""
    cards = []
    for file in weights:
        try:
            cards.append(load_card(file))
        except NetworkUnavailable:
            continue
    return cards
