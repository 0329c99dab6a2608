"""The registry of protocols: which samples a network learns from, is chosen on and is measured on.

Adding a protocol is adding one entry to PROTOCOLS, and where its split is new, one function to `splits`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from utils.classes import CLASSES
from utils.datasets import splits
from utils.datasets.sources import (
    all_sources,
    default_sources,
    family_title,
    source_title,
    sources_of_families,
)
from utils.datasets.splits import SplitOptions
from utils.datasets.tables import DatasetError
from utils.paths import models_folder

Split = Callable[[pd.DataFrame, SplitOptions], pd.DataFrame]
EXTERNAL_TEST = "leave-one-source-out"  # the command line's name for all protocols with a `left_out`


@dataclass(frozen=True)
class Protocol:
    """One protocol.

    `name`: in cards, file names and evaluation records. `title`: in the interface. `meaning`: what its figures say
    about, or why they say little about, new patients. `split`: see `utils.datasets.splits`. `sets`: the sources in use;
    None for all that the data folder holds. `classes`: None where they are the labels that occur in the samples.
    `recipes`: names of training recipes made for it.

    `is_shipped`: the app shows its figures. `has_shipped_networks`: its networks are those that the app reads with,
    which lie in the models folder itself. `left_out`: the source that
    the networks do not learn from and are tested on. `tested_source`: the source that all test images come from, where
    no image of it is in another source; `tested_families`: the families of sources that they come from.
    `trains_without_fold_0`: its networks know no test image of a protocol that `tests_on_fold_0`. `takes_own_images`:
    its images are a user's own, so networks of other protocols can be tested on all of them. `is_for_comparison`: its
    figures compare with those of other authors and say little about new patients.
    """

    name: str
    title: str
    meaning: str
    split: Split
    sets: tuple[str, ...] | None
    classes: tuple[str, ...] | None = CLASSES
    recipes: tuple[str, ...] = ()
    is_shipped: bool = False
    has_shipped_networks: bool = False
    left_out: str | None = None
    tested_source: str | None = None
    tested_families: tuple[str, ...] = ()
    trains_without_fold_0: bool = False
    tests_on_fold_0: bool = False
    takes_own_images: bool = False
    is_for_comparison: bool = False

    @property
    def has_subtypes(self) -> bool:
        """Whether its classes are subtypes of its data set rather than the four classes."""
        return self.classes is None

    @property
    def is_never_seen(self) -> bool:
        """Whether its networks were trained without the collections that it tests on."""
        return bool(self.left_out or self.tested_families)

    @property
    def option(self) -> str:
        """The command-line options that choose it: "--protocol leave-one-source-out --left-out lgg"."""
        return f"--protocol {self.command_name}" + (f" --left-out {self.left_out}" if self.left_out else "")

    @property
    def command_name(self) -> str:
        """What --protocol takes: the name, or EXTERNAL_TEST."""
        return EXTERNAL_TEST if self.left_out else self.name

    def networks_folder(self, models: Path | None = None) -> Path:
        """The folder of its networks; models: the models folder."""
        models = models or models_folder()
        return models if self.has_shipped_networks else models / "experiments" / self.name

    def classes_of(self, samples: pd.DataFrame) -> tuple[str, ...]:
        """The output classes, in order, of a network that learns from these split samples."""
        return self.classes or tuple(sorted(samples["target"].unique()))

    def is_unseen_by(self, trained_under: Protocol, sources: Collection[str]) -> bool:
        """Whether a network that was trained under another protocol from these sources knows no test image of this."""
        if trained_under.name == self.name:
            return True
        tested = (self.tested_source,) if self.tested_source else sources_of_families(self.tested_families)
        are_new_sources = not self.tests_on_fold_0 and bool(tested) and not set(tested) & set(sources)
        return trained_under.trains_without_fold_0 and (self.tests_on_fold_0 or are_new_sources)


def external_test(source: str) -> Protocol:
    """The protocol whose networks learn from all sources but one and are tested on that one."""
    return Protocol(
        name=f"{EXTERNAL_TEST}-{source}",
        title=f"External test: {source_title(source)}",
        meaning="The model was trained without this collection and is tested on all of it: the hardest test.",
        split=partial(splits.external_split, source=source),
        sets=default_sources(),
        left_out=source,
        tested_source=source if source in default_sources() else None,
        trains_without_fold_0=True,
    )


# Unseen families: protocol -> the tumour family and the healthy family that are left out, so that the test has tumours
UNSEEN_FAMILIES = {
    "unseen-nickparvar": ("nickparvar", "oasis"),
    "unseen-feltrin44": ("feltrin44", "healthy"),
    "unseen-lgg": ("lgg", "healthy"),
    "unseen-brats": ("brats", "oasis"),
}


def unseen_test(name: str) -> Protocol:
    """The protocol whose networks learn from all collections but those of two families and are tested on these."""
    tumor, healthy = UNSEEN_FAMILIES[name]
    return Protocol(
        name=name,
        title=f"External test: {family_title(tumor)} and {family_title(healthy)}",
        meaning="The model was trained without these collections and is tested on all of them.",
        split=partial(splits.family_split, families=(tumor, healthy)),
        sets=all_sources(),
        tested_families=(tumor, healthy),
        trains_without_fold_0=True,
    )


# in the order in which the interface lists them
PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="patient-disjoint",
            title="Patient-level split",
            meaning="No patient and no copy of an image is in more than one of training, validation and test.",
            split=splits.fold_split,
            sets=default_sources(),
            is_shipped=True,
            has_shipped_networks=True,
            trains_without_fold_0=True,
            tests_on_fold_0=True,
        ),
        *map(external_test, ("feltrin44", "lgg", "nickparvar")),
        Protocol(
            name="all-collections",
            title="Patient-level split, all collections",
            meaning="The patient-level split with ten further collections beside the three of the shipped models.",
            split=splits.fold_split,
            sets=all_sources(),
            has_shipped_networks=True,
            trains_without_fold_0=True,
            tests_on_fold_0=True,
        ),
        *map(unseen_test, UNSEEN_FAMILIES),
        Protocol(
            name="published",
            title="Published split",
            meaning="The authors' split of Nickparvar leaks: its test images show patients of its training part.",
            split=partial(splits.published_split, source="nickparvar", folds=20, by_group=True),
            sets=("nickparvar",),
            is_for_comparison=True,
        ),
        Protocol(
            name="published-random",
            title="Published split, random validation",
            meaning="The published split with validation images drawn at random, as other authors draw them.",
            split=partial(splits.published_split, source="nickparvar", folds=5, by_group=False),
            sets=("nickparvar",),
            recipes=("cnn-256", "vgg16-256"),
            is_for_comparison=True,
        ),
        Protocol(
            name="sartaj",
            title="Sartaj's published split",
            meaning="The authors' split of Sartaj leaks too: its test images are also in its training part.",
            split=partial(splits.published_split, source="sartaj", folds=10, by_group=True),
            sets=("sartaj",),
            recipes=("resnet101v2-sartaj", "resnet101v2-sartaj-second-round", "cnn-sartaj"),
            is_for_comparison=True,
        ),
        Protocol(
            name="sartaj-random",
            title="Sartaj's published split, random validation",
            meaning="Sartaj's split with validation images drawn at random, as other authors draw them.",
            split=partial(splits.published_split, source="sartaj", folds=10, by_group=False),
            sets=("sartaj",),
            recipes=("resnet101v2-sartaj-random",),
            is_for_comparison=True,
        ),
        Protocol(
            name="folder",
            title="Split of your own folder",
            meaning="Images of your own folder, split by patient where patients are named, else by similarity.",
            split=splits.folder_split,
            sets=None,
            takes_own_images=True,
        ),
        Protocol(
            name="feltrin44",
            title="Split by image similarity",
            meaning="Similar images, which may show one patient, are never in both training and test.",
            split=partial(splits.subtype_split, source="feltrin44", by_group=True),
            sets=("feltrin44",),
            classes=None,
            recipes=("mobilenetv2-feltrin44",),
            tests_on_fold_0=True,
        ),
        Protocol(
            name="feltrin44-random",
            title="Random split by image",
            meaning="Images drawn at random: images of one patient are in both training and test, so the figures "
            "compare with those of other authors and promise nothing for a new patient.",
            split=partial(splits.subtype_split, source="feltrin44", by_group=False),
            sets=("feltrin44",),
            classes=None,
            recipes=("mobilenetv2-feltrin44-random",),
            tested_source="feltrin44",
        ),
    )
}


def protocol_named(name: str, left_out: str | None = None) -> Protocol:
    """The protocol of a name, or of the command line's EXTERNAL_TEST and a source. Raises DatasetError."""
    if name == EXTERNAL_TEST and left_out is not None:
        name = f"{name}-{left_out}"
    if name in PROTOCOLS:
        return PROTOCOLS[name]
    if name.startswith(f"{EXTERNAL_TEST}-"):  # of a source that is no known collection
        return external_test(name.removeprefix(f"{EXTERNAL_TEST}-"))
    raise DatasetError(f"There is no protocol {name}; choose one of {', '.join(command_names())}.")


def command_names() -> tuple[str, ...]:
    """What the command line's --protocol takes."""
    return tuple(dict.fromkeys(protocol.command_name for protocol in PROTOCOLS.values()))


def shipped_protocol() -> Protocol:
    """The protocol of the networks that the app reads with."""
    return next(protocol for protocol in PROTOCOLS.values() if protocol.is_shipped)


def protocol_of_recipe(recipe: str) -> Protocol | None:
    """The protocol that a training recipe was made for; None where it suits any."""
    return next((protocol for protocol in PROTOCOLS.values() if recipe in protocol.recipes), None)


def protocol_title(name: str) -> str:
    """How the interface calls a protocol; an unknown one by its name."""
    try:
        return protocol_named(name).title
    except DatasetError:
        return name


def split_samples(
    samples: pd.DataFrame, protocol: str, seed: int = 0, patients: Path | str | None = None
) -> pd.DataFrame:
    """The rows that a protocol uses, with the columns `target` and `part` ("train", "validation" or "test").

    patients: a CSV with the columns file and patient, for `folder`. Raises DatasetError where there is no such protocol
    and where the samples lack what it needs.
    """
    options = SplitOptions(protocol, seed, None if patients is None else Path(patients))
    return protocol_named(protocol).split(samples, options)
