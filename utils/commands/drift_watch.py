"""The drift monitor of a command that reads scans once: one test of them all, at its end."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from utils.acceptance.drift import Appearance, appearance, drift_of_all, values_of
from utils.reading.worklist import Entry, stack_of

if TYPE_CHECKING:
    from utils.records.acceptance import SiteProfile

NOTHING = np.zeros(0, np.float16)


class DriftWatch:
    """Collects what a command reads; does nothing without a profile."""

    def __init__(self, profile: SiteProfile | None) -> None:
        self._profile = profile
        self._scans: list[Appearance] = []
        self._stack: list[Entry] = []

    def add(self, entry: Entry) -> None:
        """An image or a slice, in the order of reading; the slices of a stack count as one scan."""
        if self._profile is None:
            return
        if entry.scan is None or not entry.scan.slice:
            self._end_stack()
        if entry.is_read:
            self._stack.append(_without_maps(entry))

    def report(self) -> None:
        """One line on standard error where the scans depart from those of the profile."""
        if self._profile is None:
            return
        self._end_stack()
        distributions = self._profile.distributions
        drift = drift_of_all(distributions, values_of(distributions, self._scans))
        if drift is not None and drift.departing:
            from utils.acceptance.words import drift_in_words
            from utils.results.titles import MODEL_TITLES

            print(drift_in_words(drift, MODEL_TITLES), file=sys.stderr)

    def _end_stack(self) -> None:
        if self._stack:
            self._scans.append(appearance(stack_of("", self._stack)))
            self._stack = []


def _without_maps(entry: Entry) -> Entry:
    """The entry without the arrays that a long stack would fill the memory with."""
    readings = tuple(replace(reading, features=NOTHING, maps=NOTHING) for reading in entry.readings)
    return replace(entry, readings=readings)
