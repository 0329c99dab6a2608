"""What `model.py evaluate --explanations` writes about evidence maps: NAME--PROTOCOL--explanations.json."""

from __future__ import annotations

from pydantic import Field

from utils.records.base import Record
from utils.records.measures import Figures, Interval


class LocalisationFigures(Figures):
    """Maps of tumour scans against the reference segmentations; `over_uniform` is energy over uniform."""

    n: int
    groups: int
    pointing: float | None
    pointing_interval: Interval | None = None
    energy: float | None
    energy_interval: Interval | None = None
    uniform: float | None
    uniform_interval: Interval | None = None
    iou: float | None
    iou_interval: Interval | None = None
    over_uniform: float | None
    over_uniform_interval: Interval | None = None


class FaithfulnessFigures(Figures):
    """Areas under the insertion and deletion curves."""

    n: int
    groups: int
    insertion: float | None
    insertion_interval: Interval | None = None
    deletion: float | None
    deletion_interval: Interval | None = None


class RandomisationFigures(Figures):
    """Rank correlation with the maps of networks with shuffled weights, by how deep they are shuffled."""

    n: int
    groups: int
    head: float | None
    head_interval: Interval | None = None
    upper_quarter: float | None = Field(alias="upper quarter")
    upper_quarter_interval: Interval | None = Field(None, alias="upper quarter_interval")
    upper_half: float | None = Field(alias="upper half")
    upper_half_interval: Interval | None = Field(None, alias="upper half_interval")
    all: float | None
    all_interval: Interval | None = None


class StrengthFigures(Figures):
    """Mean peak of the map of each tumour class, 1 is full colour; only of the classes that were measured."""

    n: int
    groups: int
    strength_glioma: float | None = None
    strength_glioma_interval: Interval | None = None
    strength_meningioma: float | None = None
    strength_meningioma_interval: Interval | None = None
    strength_pituitary: float | None = None
    strength_pituitary_interval: Interval | None = None

    @property
    def strongest(self) -> float | None:
        """The strength of the class with the strongest maps; None where none was measured."""
        strengths = (self.strength_glioma, self.strength_meningioma, self.strength_pituitary)
        return max((strength for strength in strengths if strength is not None), default=None)


class MethodFigures(Record):
    """One method of evidence maps; `classes` and `strengths` by tumour class, `scale` in `unit`.

    `sequences` by source and sequence, "source, sequence", or "source" where it is unknown; older records lack them.
    """

    title: str
    unit: str | None
    scale: float | None
    tumors: LocalisationFigures
    classes: dict[str, LocalisationFigures]
    sequences: dict[str, LocalisationFigures] = Field(default_factory=dict)
    faithfulness: FaithfulnessFigures
    randomisation: RandomisationFigures
    no_tumor: StrengthFigures
    strengths: dict[str, StrengthFigures]
    region_threshold: float | None = None


class ExplanationsRecord(Record):
    """The evidence maps of one network at one layer, on `n` tumour scans and `healthy` scans without tumour."""

    model: str
    protocol: str
    part: str
    date: str = ""
    commit: str = ""
    command: str = ""
    weights_sha256: str | None = None
    layer: str
    n: int
    healthy: int
    methods: dict[str, MethodFigures]
