"""The collections that the project knows: adding one is adding one entry to SOURCES.

A folder of images that is no known collection works too; it is named after its folder.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One collection of images, under the name that its folder and the column `source` of sample tables have.

    `is_default`: protocols use it unless they name their sets. `sequence`: the MRI sequence of all its images, where
    its manifest has no such column. `class_folders`: names by which a folder without this name is recognised.
    `has_weak_negatives`: its scans without tumour come from patients who have one, so an unmarked slice need not be
    healthy.
    """

    name: str
    title: str
    licence: str
    is_default: bool = False
    sequence: str = ""
    class_folders: frozenset[str] = frozenset()
    has_weak_negatives: bool = False


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "nickparvar",
            title="Nickparvar",
            licence="Nickparvar's collection (CC0 as reported; its figshare slices CC BY 4.0, Cheng et al. 2015)",
            is_default=True,
            class_folders=frozenset({"glioma", "notumor"}),
        ),
        Source(
            "feltrin44",
            title="Feltrin",
            licence="Feltrin's 44 classes (licence not known)",
            is_default=True,
        ),
        Source(
            "lgg",
            title="LGG",
            licence="TCGA lower-grade gliomas (CC BY-NC-SA 4.0, Buda et al. 2019)",
            is_default=True,
            sequence="FLAIR",
            has_weak_negatives=True,
        ),
        Source(  # shows the same images as Nickparvar, so protocols do not use it by default
            "sartaj",
            title="Sartaj",
            licence="Sartaj's collection (MIT as reported)",
            class_folders=frozenset({"glioma_tumor", "no_tumor"}),
        ),
    )
}


def default_sources() -> tuple[str, ...]:
    """The names of the collections that a protocol uses unless it names its own."""
    return tuple(source.name for source in SOURCES.values() if source.is_default)


def weak_negative_sources() -> tuple[str, ...]:
    """The names of the collections whose scans without tumour come from tumour patients."""
    return tuple(source.name for source in SOURCES.values() if source.has_weak_negatives)


def source_title(name: str) -> str:
    """A collection, or a collection and a sequence ("feltrin44 T1"), as the interface calls it ("Feltrin T1")."""
    source, _, sequence = name.partition(" ")
    title = SOURCES[source].title if source in SOURCES else source
    return f"{title} {sequence}".strip()


def source_licence(name: str) -> str:
    """A collection and its licence, as a network's card states it."""
    return SOURCES[name].licence if name in SOURCES else f"a set called {name}"


def source_sequence(name: str) -> str:
    """The MRI sequence of all images of a collection; "" where it has several or is not known."""
    return SOURCES[name].sequence if name in SOURCES else ""


def source_with_class_folders(folders: Collection[str]) -> str | None:
    """The collection whose class folders are spelt like these; None where no collection's are."""
    spelt = (
        source.name
        for source in SOURCES.values()
        if source.class_folders and source.class_folders <= set(folders)
    )
    return next(spelt, None)
