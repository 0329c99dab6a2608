"""utils.reading.subtypes: the types in English, their sequences summed; the network where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from utils.networks.cards import SUBTYPE_NETWORK as NETWORK
from utils.networks.cards import Card
from utils.reading.subtypes import TYPE_TITLES, finer_network, type_probabilities


def test_sequences_of_a_type_are_summed_and_the_likeliest_comes_first() -> None:
    classes = ("Astrocitoma T1", "Astrocitoma T2", "Papiloma T1C+", "_NORMAL T1")
    found = type_probabilities(classes, np.array([0.2, 0.3, 0.4, 0.1]))
    assert list(found) == ["astrocytoma", "papilloma", "no tumour"]
    assert found["astrocytoma"] == pytest.approx(0.5) and sum(found.values()) == pytest.approx(1)


def test_every_folder_of_the_collection_has_an_english_name(data_root: Path) -> None:
    folders = [folder.name for folder in (data_root / "feltrin44").iterdir() if folder.is_dir()]
    assert len(folders) == 44 and {name.rsplit(" ", 1)[0] for name in folders} == set(TYPE_TITLES)


@pytest.mark.parametrize(("task", "there"), [("finer", True), ("four-class", False), (None, False)])
def test_network_is_offered_where_its_card_says_what_it_is(
    tmp_path: Path, task: str | None, there: bool
) -> None:
    weights = tmp_path / NETWORK
    if task:
        weights.parent.mkdir()
        facts = {"name": "cnn", "task": task, "classes": [], "input_size": 64, "evidence_layer": "x"}
        Card(weights.with_suffix(".json"), facts | {"temperature": 1.0, "weights_sha256": ""}).save()
    assert finer_network(tmp_path) == (weights if there else None)
