"""utils.datasets.protocols: the registry. That one entry is enough is tested with a protocol made up here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from utils.classes import CLASSES
from utils.datasets import protocols
from utils.datasets.protocols import (
    PROTOCOLS,
    Protocol,
    command_names,
    protocol_named,
    protocol_of_recipe,
    protocol_title,
    shipped_protocol,
    split_samples,
)
from utils.datasets.sources import SOURCES, default_sources
from utils.datasets.splits import SplitOptions
from utils.datasets.tables import DatasetError
from utils.training.recipes import RECIPES


def every_third(samples: pd.DataFrame, options: SplitOptions) -> pd.DataFrame:
    parts = ["train", "validation", "test"]
    return samples.assign(target=samples["label"], part=[parts[row % 3] for row in range(len(samples))])


@pytest.fixture
def new_protocol(monkeypatch: pytest.MonkeyPatch) -> Protocol:
    """A protocol that one entry adds."""
    entry = Protocol("every-third", "Every third image", "Images by their order.", every_third, sets=None)
    monkeypatch.setitem(PROTOCOLS, entry.name, entry)
    return entry


def test_one_entry_adds_a_protocol(new_protocol: Protocol, tmp_path: Path) -> None:
    assert protocol_named("every-third") is new_protocol and "every-third" in command_names()
    assert protocol_title("every-third") == "Every third image"
    assert new_protocol.networks_folder(tmp_path).name == "every-third"
    samples = pd.DataFrame({"label": ["glioma", "no_tumor", "pituitary"]})
    split = split_samples(samples, "every-third")
    assert split["part"].tolist() == ["train", "validation", "test"]
    assert new_protocol.classes_of(split) == CLASSES
    assert not new_protocol.is_unseen_by(shipped_protocol(), [])
    assert new_protocol.is_unseen_by(new_protocol, [])


def test_every_entry_is_complete() -> None:
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name and protocol.title and protocol.meaning.endswith(".")
        assert protocol.sets is None or set(protocol.sets) <= set(SOURCES)
        assert {protocol.left_out, protocol.tested_source} <= {None, *SOURCES}
        assert protocol_named(protocol.command_name, protocol.left_out) is protocol
    titles = [protocol.title for protocol in PROTOCOLS.values()]
    assert len(set(titles)) == len(titles)
    assert [protocol.name for protocol in PROTOCOLS.values() if protocol.is_shipped] == ["patient-disjoint"]


def test_a_recipe_belongs_to_at_most_one_protocol() -> None:
    of_protocols = [recipe for protocol in PROTOCOLS.values() for recipe in protocol.recipes]
    assert set(of_protocols) <= set(RECIPES) and len(set(of_protocols)) == len(of_protocols)
    for name in RECIPES:
        protocol = protocol_of_recipe(name)
        assert name in protocol.recipes if protocol else name not in of_protocols


def test_the_command_line_names_external_tests_by_their_source() -> None:
    assert command_names().count("leave-one-source-out") == 1
    assert protocol_named("leave-one-source-out", "lgg").name == "leave-one-source-out-lgg"
    assert protocol_named("published", "lgg").name == "published"  # --left-out has a default
    assert protocol_named("leave-one-source-out-lgg").title == "External test: LGG"
    assert PROTOCOLS["leave-one-source-out-lgg"].option == "--protocol leave-one-source-out --left-out lgg"
    assert PROTOCOLS["sartaj"].option == "--protocol sartaj"


def test_an_unknown_collection_can_be_left_out_too() -> None:
    protocol = protocol_named("leave-one-source-out", "clinic")
    assert (protocol.left_out, protocol.title) == ("clinic", "External test: clinic")
    assert not protocol.is_unseen_by(shipped_protocol(), ["nickparvar"])  # its images may be in other sources


def test_unknown_protocols() -> None:
    with pytest.raises(DatasetError, match="choose one of patient-disjoint, leave-one-source-out, "):
        protocol_named("random")
    assert protocol_title("random") == "random"


def test_only_the_networks_of_the_shipped_protocol_lie_where_the_app_reads(tmp_path: Path) -> None:
    for protocol in PROTOCOLS.values():
        folder = protocol.networks_folder(tmp_path)
        assert (folder == tmp_path) == (protocol.name in ("patient-disjoint", "all-collections"))
        assert folder == tmp_path or folder.name == protocol.name


def test_subtypes_are_the_labels_that_occur() -> None:
    samples = pd.DataFrame({"target": ["b", "a", "b"]})
    assert PROTOCOLS["feltrin44"].has_subtypes and PROTOCOLS["feltrin44"].classes_of(samples) == ("a", "b")
    assert not PROTOCOLS["published"].has_subtypes and PROTOCOLS["published"].classes_of(samples) == CLASSES


def test_external_tests_use_the_default_sources() -> None:
    external = [protocol for protocol in PROTOCOLS.values() if protocol.left_out]
    assert {protocol.left_out for protocol in external} == set(default_sources())
    assert all(protocol.sets == default_sources() for protocol in external)
    assert replace(external[0], name="other") not in PROTOCOLS.values()
    assert protocols.EXTERNAL_TEST == "leave-one-source-out"
