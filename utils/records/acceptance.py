"""Acceptance at a site: figures with intervals, the rule of an answer, the site profile, and what was simulated."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from utils.classes import CLASSES
from utils.records.base import Record

FORMAT: Literal[1] = 1  # of the site profile; a change of its fields raises it
LONGEST_NAME = 60  # characters of a site's name
Verdict = Literal["as evaluated", "refitted", "not here"]


class Share(Record):
    """A share (0..1) of `n` scans of `patients` patients with its 95 % interval.

    `needed`: scans that an interval of ± 5 percentage points takes.
    """

    value: float
    low: float
    high: float
    n: int
    patients: int
    needed: int


class AcceptanceFigures(Record):
    """What the ensemble's answers are worth on one set of scans; None where no scan measures a figure.

    `correct_type`: of the scans of the output classes; `answered`: scans that are not left to a person;
    `correct_answers`: of those. `ece`: expected calibration error of the ensemble's probability; `chance_ece`: what 95
    of 100 sets of as many scans stay below if the probabilities were right. `unusual` includes what was rejected.
    """

    n: int
    sensitivity: Share | None = None
    specificity: Share | None = None
    correct_type: Share | None = None
    answered: Share | None = None
    correct_answers: Share | None = None
    ece: float | None = None
    chance_ece: float | None = None
    unusual: Share | None = None
    rejected: Share | None = None

    def share(self, name: str) -> Share | None:
        """The figure of that name, one of those that are shares."""
        value: Share | None = getattr(self, name)
        return value


class AnswerRule(Record):
    """How the ensemble's probabilities become an answer.

    Probabilities are raised to 1 / `temperature` and scaled to a sum of 1. From a tumour probability of
    `tumor_threshold` on the label is the most probable tumour, else no tumour; without it the label is the most
    probable class. `referral_thresholds`: class -> the probability from which on concordant models give an answer.
    """

    temperature: float = Field(gt=0)
    tumor_threshold: float | None = Field(default=None, ge=0, le=1)
    referral_thresholds: Mapping[str, float]

    @field_validator("referral_thresholds")
    @classmethod
    def _has_the_classes(cls, thresholds: Mapping[str, float]) -> Mapping[str, float]:
        if set(thresholds) != set(CLASSES):
            raise ValueError(f"they are not those of {', '.join(CLASSES)}")
        return thresholds


class Distributions(Record):
    """What scans of a site look like to the networks, each list sorted, so that no value belongs to a scan.

    `tumor_probability`: of the ensemble as evaluated; `novelty`: network -> distance to its training scans.
    """

    tumor_probability: tuple[float, ...] = Field(min_length=1)
    novelty: Mapping[str, Annotated[tuple[float, ...], Field(min_length=1)]]


class SiteProfile(Record):
    """What an acceptance measured at one site and refitted there. No image, name or file of a scan is in it.

    `weights_sha256`: networks -> SHA-256 of the weights; `ensemble_sha256`: of the ensemble's file. `created`: UTC,
    ISO 8601; the version. `scans`: class -> number of cases. `figures`: as evaluated; `refitted`: with `rule`, each
    case with thresholds that were fitted on images of other patients; None where there were too few images.
    """

    format: Literal[1] = FORMAT
    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    created: str
    weights_sha256: Mapping[str, str]
    ensemble_sha256: str
    verdict: Verdict
    reason: str
    scans: Mapping[str, int]
    figures: AcceptanceFigures
    refitted: AcceptanceFigures | None = None
    rule: AnswerRule | None = None
    distributions: Distributions

    @model_validator(mode="after")
    def _has_a_time(self) -> SiteProfile:
        try:
            datetime.fromisoformat(self.created)
        except ValueError:
            raise ValueError("`created` is no time in ISO 8601") from None
        return self

    @property
    def title(self) -> str:
        """As reports name it: "Elsewhere, version 2026-11-26 17:00 UTC"."""
        return f"{self.name}, version {datetime.fromisoformat(self.created):%Y-%m-%d %H:%M} UTC"

    @property
    def active_rule(self) -> AnswerRule | None:
        """The rule that replaces the evaluated one; None where the verdict is to use that."""
        return self.rule if self.verdict == "refitted" else None


class Coverage(Record):
    """How often (0..1) the intervals of a figure held the value of all scans, over `draws` that measured it."""

    draws: int
    covered: float


class DriftSimulation(Record):
    """Shares (0..1) of simulated sites at which the drift monitor alarmed within 50 scans."""

    sites: int
    alarmed: float


class AcceptanceRecord(Record):
    """models/evaluation/acceptance.json, from `benchmarks.accuracy.acceptance`.

    `held_out`: figures on held-out patients; `never_seen`: protocol -> those on a collection that no network had seen.
    `coverage`: unit that is drawn -> figure -> coverage. `verdicts`: origin -> verdict -> share of the draws. `drift`:
    stream -> alarms.
    """

    date: str
    commit: str
    command: str
    weights_sha256: Mapping[str, str]
    held_out: AcceptanceFigures
    never_seen: Mapping[str, AcceptanceFigures]
    coverage: Mapping[str, Mapping[str, Coverage]]
    verdicts: Mapping[str, Mapping[str, float]]
    drift: Mapping[str, DriftSimulation]
