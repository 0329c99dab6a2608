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
    healthy. `family`: collections that may share patients, hospitals or processing have one family, and no patient is
    in two families; the `unseen` protocols leave out whole families. "" where that is not known. `shows_images_of`: the
    collection that holds the same images, so that the two are not used at once. `doubtful_patients`: how the names of
    patients begin who may also be in a collection of another family. `content`, `people` and `sequences` say in words
    what the collection shows, of how many people, and in which MRI sequences.
    """

    name: str
    title: str
    licence: str
    content: str = ""
    people: str = ""
    sequences: str = ""
    is_default: bool = False
    sequence: str = ""
    class_folders: frozenset[str] = frozenset()
    has_weak_negatives: bool = False
    family: str = ""
    shows_images_of: str = ""
    doubtful_patients: tuple[str, ...] = ()


SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        Source(
            "nickparvar",
            title="Nickparvar",
            licence="Nickparvar's collection (CC0 as reported; its figshare slices CC BY 4.0, Cheng et al. 2015)",
            content="glioma, meningioma, pituitary tumour, healthy",
            people="209 with a tumour; the others are not known",
            sequences="tumours T1 with contrast, healthy mostly T2 or FLAIR",
            is_default=True,
            family="nickparvar",
            class_folders=frozenset({"glioma", "notumor"}),
        ),
        Source(
            "feltrin44",
            title="Feltrin",
            licence="Feltrin's 44 classes (licence not known)",
            content="14 kinds of tumour and lesion, healthy",
            people="not known",
            sequences="T1, T1 with contrast, T2",
            is_default=True,
            family="feltrin44",
        ),
        Source(
            "lgg",
            title="LGG",
            licence="TCGA lower-grade gliomas (CC BY-NC-SA 4.0, Buda et al. 2019)",
            content="lower-grade glioma",
            people="110",
            is_default=True,
            family="lgg",
            sequence="FLAIR",
            has_weak_negatives=True,
        ),
        Source(
            "sartaj",
            title="Sartaj",
            licence="Sartaj's collection (MIT as reported)",
            content="glioma, meningioma, pituitary tumour, healthy",
            people="not known",
            sequences="as in Nickparvar",
            class_folders=frozenset({"glioma_tumor", "no_tumor"}),
            family="nickparvar",
            shows_images_of="nickparvar",
        ),
        Source(
            "brats18",
            title="BraTS 2018",
            licence="a sample of BraTS 2018 (taken as research only)",
            content="glioma",
            people="19",
            sequences="T1, T1 with contrast, T2, FLAIR",
            has_weak_negatives=True,
            family="brats",
            doubtful_patients=("Brats18_TCIA10_", "Brats18_TCIA13_"),  # probably TCGA-LGG, so perhaps in lgg
        ),
        Source(
            "rsna_t1c",
            title="RSNA-MICCAI 2021",
            licence="slices of RSNA-MICCAI 2021 (taken as research only)",
            content="glioma",
            people="at most 662",
            sequences="T1 with contrast",
            family="brats",
        ),
        Source(
            "brats21_flair",
            title="BraTS 2021",
            licence="slices of BraTS 2021 (taken as research only)",
            content="glioma",
            people="51",
            sequences="FLAIR",
            family="brats",
        ),
        Source(
            "fets21_t2",
            title="FeTS 2021",
            licence="slices of FeTS 2021 (taken as research only)",
            content="glioma",
            people="26",
            sequences="T2",
            has_weak_negatives=True,
            family="brats",
        ),
        Source(
            "tumour_misc",
            title="Single tumour cases",
            licence="single tumour cases of public repositories (licences mixed, taken as research only)",
            content="glioma, metastasis, tumours of unknown type",
            people="13",
            sequences="T1, T1 with contrast, T2, FLAIR",
            has_weak_negatives=True,
            family="brats",
        ),
        Source(
            "oasis_alz",
            title="OASIS-1",
            licence="slices of OASIS-1 (taken as research only)",
            content="adults with and without dementia",
            people="200",
            sequences="T1",
            family="oasis",
        ),
        Source(
            "oasis2",
            title="OASIS-2",
            licence="slices of OASIS-2 (taken as research only)",
            content="adults with and without dementia",
            people="85",
            sequences="T1",
            family="oasis",
        ),
        Source(
            "ants_jlf60",
            title="ANTs",
            licence="heads of ANTs' joint label fusion tutorial (taken as research only)",
            content="healthy",
            people="35",
            sequences="T1",
            family="healthy",
        ),
        Source(
            "ibsr18",
            title="IBSR-18",
            licence="IBSR-18 (taken as research only)",
            content="healthy",
            people="18",
            sequences="T1",
            family="healthy",
        ),
        Source(
            "healthy_misc",
            title="Healthy scans of other sources",
            licence="healthy scans of about 15 public repositories (licences mixed, taken as research only)",
            content="healthy",
            people="58",
            sequences="T1, T2, few others",
            family="healthy",
        ),
    )
}


# Families that are not named after their one collection
FAMILY_TITLES = {"brats": "BraTS", "oasis": "OASIS", "healthy": "other healthy brains"}


def default_sources() -> tuple[str, ...]:
    """The names of the collections that a protocol uses unless it names its own."""
    return tuple(source.name for source in SOURCES.values() if source.is_default)


def all_sources() -> tuple[str, ...]:
    """The names of the collections, less those that hold the same images as another."""
    return tuple(source.name for source in SOURCES.values() if not source.shows_images_of)


def sources_of_families(families: Collection[str]) -> tuple[str, ...]:
    """The names of the collections of some families."""
    return tuple(source.name for source in SOURCES.values() if source.family in families)


def doubtful_patients() -> tuple[str, ...]:
    """How the names of patients begin who may be in collections of two families."""
    return tuple(start for source in SOURCES.values() for start in source.doubtful_patients)


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


def family_title(family: str) -> str:
    """The name of a family of collections in the interface."""
    return FAMILY_TITLES.get(family) or source_title(family)
