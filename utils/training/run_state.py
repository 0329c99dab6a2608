"""The progress of a training, stored in its run folder, so that an interrupted training can be resumed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class RunState:
    """The current phase, the number of its finished epochs, its best epoch, and the figures of all epochs so far."""

    phase: int = 0
    epoch: int = 0
    best_loss: float = float("inf")
    best_epoch: int = -1
    history: list[dict] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> RunState:
        """The stored state, or that of a new training."""
        file = folder / "state.json"
        return cls(**json.loads(file.read_text())) if file.is_file() else cls()

    def save(self, folder: Path) -> None:
        temporary = folder / "state.json.new"
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(folder / "state.json")

    def add_epoch(self, phase: str, figures: dict[str, float]) -> None:
        """Count a finished epoch and its figures."""
        self.epoch += 1
        if figures["validation_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = figures["validation_loss"], self.epoch
        rounded = {name: round(value, 5) for name, value in figures.items()}
        self.history.append({"phase": phase, "epoch": len(self.history) + 1, **rounded})
