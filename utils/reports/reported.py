"""What a report is made from: the scans of a session with their reviews, and the models with their evaluations.

No Streamlit, no Keras. File names are often patients' names: a report uses the neutral name of a scan, and the file
name only on request.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from utils.cases.reviews import Review
from utils.networks.cards import Card, NetworkUnavailable, load_card
from utils.networks.shipped import reading_networks
from utils.paths import models_folder
from utils.reading.conclusion import Referral
from utils.reading.worklist import Entry

if TYPE_CHECKING:
    from utils.reading.acquisition import Acquisition
    from utils.results.records import Evaluation

USE = "research and education only"


@dataclass(frozen=True)
class Settings:
    """How saliency maps are drawn, as in utils.evidence.overlays: `opacity` and `threshold` in 0..1 of full colour.

    scale: calibrated logits at full colour (`cards.evidence_scale`). label: the class whose maps are shown; None for
    the class that the first model predicts.
    """

    scale: float
    opacity: float = 0.8
    threshold: float = 0.0
    label: str | None = None


@dataclass(frozen=True)
class ReportedScan:
    """One scan of a report; of a volume, one slice only.

    name: neutral name in the report ("Scan 1"). is_overridden: the user asked for the results although the scan was
    rejected as out of distribution. study: sentences on the patient-level answer and the tumour volume of a volume.
    acquisition: that of the whole volume; None where it is that of the entry.
    """

    name: str
    entry: Entry
    settings: Settings
    review: Review | None = None
    is_overridden: bool = False
    referral: Referral = field(default_factory=Referral)
    study: tuple[str, ...] = ()
    acquisition: Acquisition | None = None

    @property
    def shown_acquisition(self) -> Acquisition:
        """Sequence and plane; of a volume those that its slices show together."""
        return self.acquisition or self.entry.acquisition

    @property
    def has_results(self) -> bool:
        """Whether the report shows the results of the models."""
        return bool(self.entry.readings) and (self.entry.grade != "refused" or self.is_overridden)

    @property
    def shown_class(self) -> str:
        """The class whose maps are drawn; the scan must have readings."""
        return self.settings.label or self.entry.readings[0].shown_class


@dataclass(frozen=True)
class ReportedNetwork:
    """One network: its card, and its evaluation on held-out patients, where there is one."""

    card: Card
    evaluation: Evaluation | None = None


def reported_networks(models: Path | None = None) -> list[ReportedNetwork]:
    """The app's networks with their evaluations; those without a usable card are skipped."""
    # pandas comes with them: 80 MB, which DICOM results do without
    from utils.datasets.protocols import shipped_protocol
    from utils.results.records import load_evaluations
    from utils.results.track_record import evaluation_of

    models = models or models_folder()
    evaluations = load_evaluations(models / "evaluation", shipped_protocol())
    networks = []
    for weights in reading_networks(models):
        try:
            card = load_card(weights)
        except NetworkUnavailable:
            continue
        networks.append(ReportedNetwork(card, evaluation_of(evaluations, card.name, card.version)))
    return networks
