"""Prior and current stack of one patient: the change of the outlined volume, and what makes it unreliable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.reading.volumetry import TumorVolume, slice_distances, tumor_volume
from utils.wording import SEQUENCE_TITLES, in_percent

if TYPE_CHECKING:
    from utils.reading.worklist import Entry

SAME_GRID = 0.1  # share by which spacings of comparable stacks may differ


@dataclass(frozen=True)
class Change:
    """Volumes are None where they cannot be measured. `warnings` are sentences."""

    prior: TumorVolume | None
    current: TumorVolume | None
    warnings: tuple[str, ...]

    @property
    def ml(self) -> float | None:
        """Current minus prior."""
        return self.current.ml - self.prior.ml if self.prior and self.current else None

    @property
    def share(self) -> float | None:
        """The change over the prior volume; None without one."""
        return self.ml / self.prior.ml if self.prior and self.ml is not None and self.prior.ml > 0 else None


def change(prior: Entry, current: Entry) -> Change:
    """The change from one stack to another. The caller knows that they are of one patient."""
    return Change(tumor_volume(prior), tumor_volume(current), tuple(_warnings(prior, current)))


def change_in_words(value: Change) -> str:
    """ "+3.2 ml (+41 %): from 7.8 ml to 11.0 ml", or why there is none."""
    if value.ml is None or value.prior is None or value.current is None:
        return "No change in ml: pixel spacing or slice positions are unknown, or there is no segmentation"
    share = "" if value.share is None else f" ({_signed(value.share)} %)"
    return f"{value.ml:+.1f} ml{share}: from {value.prior.ml:.1f} ml to {value.current.ml:.1f} ml"


def _signed(share: float) -> str:
    return f"{'-' if share < 0 else '+'}{in_percent(abs(share))}"


def _warnings(prior: Entry, current: Entry) -> list[str]:
    before, after = prior.scan, current.scan
    assert before is not None and after is not None
    first, second = prior.acquisition, current.acquisition
    is_other = before.patient and after.patient and before.patient != after.patient
    warnings = [
        *(["The files name different patients."] if is_other else []),
        *_unlike("planes", first.plane, second.plane),
        *_unlike("sequences", *(SEQUENCE_TITLES.get(each.sequence, "") for each in (first, second))),
    ]
    distances = [slice_distances(entry) for entry in (prior, current)]
    known = [float(np.median(each)) for each in distances if each is not None]
    if len(known) == 2 and _differ(*known):
        warnings.append(f"The distance of the slices differs: {known[0]:.1f} and {known[1]:.1f} mm.")
    if before.spacing and after.spacing and _differ(before.spacing[0], after.spacing[0]):
        warnings.append(f"The pixel spacing differs: {before.spacing[0]:.2f} and {after.spacing[0]:.2f} mm.")
    return warnings


def _differ(first: float, second: float) -> bool:
    return abs(first - second) > SAME_GRID * max(first, second)


def _unlike(what: str, first: str, second: str) -> list[str]:
    """A sentence where two facts differ, or one of them is not known ("")."""
    if first == second:
        return []
    words = "differ" if first and second else "cannot be compared"
    return [f"The {what} {words}: {first or 'not known'} and {second or 'not known'}."]
