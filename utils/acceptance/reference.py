"""The stored figures that an acceptance is compared with."""

from __future__ import annotations

from pathlib import Path

from utils.networks.cards import NetworkUnavailable, load_card
from utils.paths import models_folder
from utils.records.acceptance import AcceptanceRecord
from utils.records.base import InvalidRecord, read_record

FILE = "acceptance.json"  # in models/evaluation


def load_reference(models: Path | None = None) -> AcceptanceRecord | None:
    """What `benchmarks.accuracy.acceptance` measured; None where it did not, or with other weights."""
    models = models or models_folder()
    try:
        record = read_record(models / "evaluation" / FILE, AcceptanceRecord)
        versions = {name: load_card(models / f"{name}.keras").version for name in record.weights_sha256}
    except (OSError, InvalidRecord, NetworkUnavailable):
        return None
    return record if versions == record.weights_sha256 else None
