"""What `model.py evaluate --robustness` writes about a network: NAME.robustness.json."""

from __future__ import annotations

from pydantic import model_validator

from utils.records.base import Record


class Degradation(Record):
    """The accuracy at each level of one image degradation, from mild to strong; `unit`: what a level is."""

    unit: str
    levels: tuple[int | float, ...]
    accuracy: tuple[float, ...]

    @model_validator(mode="after")
    def _has_an_accuracy_for_each_level(self) -> Degradation:
        if not self.levels or len(self.levels) != len(self.accuracy):
            raise ValueError("`accuracy` does not have one value for each level.")
        return self


class RobustnessRecord(Record):
    """Accuracy on `n` scans, without (`accuracy`) and with each degradation (`changes`, by its name)."""

    model: str
    protocol: str
    part: str = "test"
    date: str = ""
    commit: str = ""
    command: str = ""
    weights_sha256: str | None = None
    n: int
    accuracy: float
    changes: dict[str, Degradation]
