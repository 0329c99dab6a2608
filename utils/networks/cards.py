"""The card beside every network file: what it is, how it was made, how it was measured. Plain JSON, no Keras."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from utils.paths import file_sha256, models_folder, shown

APP_NETWORKS = ("cnn", "vgg16")  # what the repository ships for reading
NETWORK_TITLES = {
    "cnn": "CNN",
    "vgg16": "VGG16",
    "resnet101v2": "ResNet101V2",
    "mobilenetv2": "MobileNetV2",
    "unet": "U-Net",
}
OUTLINERS = ("unet",)  # networks that draw a tumour's outline and name no class
OUTLINES = "segmentation"  # the task on their cards
SUBTYPE_NETWORK = Path("feltrin44") / "mobilenetv2.keras"  # below the models folder
TOGETHER = "together.json"  # in the models folder: when the networks' common answer counts


class NetworkUnavailable(RuntimeError):
    """A network file that is missing, altered or has no card. Its text names the file and the remedy."""


@dataclass(frozen=True)
class Card:
    """The facts about one trained network, as `NAME.json` beside `NAME.keras` holds them."""

    file: Path
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        return self.facts["name"]

    @property
    def title(self) -> str:
        return NETWORK_TITLES.get(self.name, self.name)

    @property
    def weights(self) -> Path:
        return self.file.with_suffix(".keras")

    @property
    def statistics(self) -> Path:
        """Arrays too large for a card: hashes of the pictures it was trained on, what its gate knows."""
        return self.file.with_suffix(".npz")

    @property
    def version(self) -> str:
        """SHA-256 of the weights file, hexadecimal."""
        return self.facts["weights_sha256"]

    def region_threshold(self, method: str) -> float | None:
        """The strength (calibrated, `readers.Reading.strength` at scale 1) above which a map's region lies, fitted on
        validation masks; None where the card does not tell it."""
        scale = self.facts.get("evidence_scale", {}).get(method)
        fraction = self.facts.get("evidence_threshold", {}).get(method)
        return scale * fraction if scale and fraction else None

    def save(self) -> None:
        temporary = self.file.with_suffix(".json.new")
        temporary.write_text(json.dumps(self.facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(self.file)


def load_card(weights: Path) -> Card:
    """The card of a weights file. Raises NetworkUnavailable where it is missing, broken or lacks a fact."""
    file = weights.with_suffix(".json")
    remedy = f"restore it with `git checkout -- {shown(file)}` or train the network again: `{train_command(weights)}`"
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(facts, dict) or not _needed_facts(facts) <= set(facts):
            raise ValueError
    except OSError:
        raise NetworkUnavailable(f"The card {shown(file)} is missing; {remedy}.") from None
    except ValueError:
        raise NetworkUnavailable(f"The card {shown(file)} is damaged; {remedy}.") from None
    return Card(file, facts)


def check_weights(card: Card) -> None:
    """Raises NetworkUnavailable where the weights, or their statistics, are not the ones that the card describes."""
    name = shown(card.weights)
    remedy = f"restore it with `git checkout -- {name}` or train the network again: `{train_command(card.weights)}`"
    if not card.weights.is_file():
        raise NetworkUnavailable(f"The network file {name} is missing; {remedy}.")
    if file_sha256(card.weights) != card.version:
        raise NetworkUnavailable(
            f"The network file {name} is not the one its card describes (SHA-256 differs); {remedy}."
        )
    expected = card.facts.get("novelty", {}).get("statistics_sha256")
    if expected and (not card.statistics.is_file() or file_sha256(card.statistics) != expected):
        name = shown(card.statistics)
        raise NetworkUnavailable(
            f"The file {name} is missing or is not the one that its card describes (SHA-256 differs); restore it with "
            f"`git checkout -- {name}` or train the network again: `{train_command(card.weights)}`."
        )


def reading_networks(models: Path | None = None) -> list[Path]:
    """Weights files of the app's four-class networks: the shipped two first, then any other with a card."""
    models = models or models_folder()
    added = []
    for file in sorted(models.glob("*.json")):
        if file.stem not in APP_NETWORKS:
            try:
                card = load_card(file.with_suffix(".keras"))
            except NetworkUnavailable:
                continue
            if card.facts["task"] == "four-class":
                added.append(card.weights)
    return [models / f"{name}.keras" for name in APP_NETWORKS] + added


def evidence_scale(method: str = "gradcam", models: Path | None = None) -> float:
    """The strength at which a map is drawn in full colour: one for all classes and networks.

    In calibrated logits, for Score-CAM a probability (`readers.Reading.strength`). It is the mean of what the cards of
    the app's networks measured on validation scans; 1 where none did.
    """
    scales = []
    for weights in reading_networks(models):
        try:
            scales.append(float(load_card(weights).facts.get("evidence_scale", {}).get(method, 0)))
        except NetworkUnavailable:
            continue
    measured = [scale for scale in scales if scale > 0]
    return sum(measured) / len(measured) if measured else 1.0


def common_threshold(models: Path | None = None) -> float | None:
    """The mean probability from which on the networks' common answer counts (utils/results/ensemble.py, `TOGETHER`).

    None where it was not fitted for the very weights that the app reads with.
    """
    models = models or models_folder()
    try:
        record = json.loads((models / TOGETHER).read_text(encoding="utf-8"))
        now = {file.stem: load_card(file).version for file in reading_networks(models)}
        return float(record["referral_threshold"]) if record["weights_sha256"] == now else None
    except (OSError, ValueError, KeyError, TypeError, NetworkUnavailable):
        return None


def scaled_methods(models: Path | None = None) -> tuple[str, ...]:
    """The methods that the cards of all the app's networks have a scale for: older cards know Grad-CAM alone."""
    known = []
    for weights in reading_networks(models):
        try:
            known.append(load_card(weights).facts.get("evidence_scale", {}))
        except NetworkUnavailable:
            continue
    return tuple(method for method in (known[0] if known else {}) if all(method in one for one in known))


def train_command(weights: Path) -> str:
    """The command that makes a weights file."""
    folder = weights.parent.name
    protocol = folder if folder in ("published", "folder") else "patient-disjoint"
    if folder.startswith("leave-one-source-out-"):
        protocol = f"leave-one-source-out --left-out {folder.removeprefix('leave-one-source-out-')}"
    return f"python model.py train --model {weights.stem} --protocol {protocol} --data DIR"


def _needed_facts(facts: dict[str, Any]) -> set[str]:
    """What a card must tell for its network to be used."""
    fitted = {"threshold", "peak"} if facts.get("task") == OUTLINES else {"evidence_layer", "temperature"}
    return {"name", "task", "classes", "input_size", "weights_sha256"} | fitted
