"""utils.reading.subtypes: the types in English, their sequences summed; the network where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import write_card
from utils.networks.shipped import SUBTYPE_NETWORK as NETWORK
from utils.networks.shipped import subtype_weights
from utils.reading.subtypes import TYPE_TITLES, type_probabilities


def test_sequences_of_a_type_are_summed_and_the_likeliest_comes_first() -> None:
    classes = ("Astrocitoma T1", "Astrocitoma T2", "Papiloma T1C+", "_NORMAL T1")
    sums = type_probabilities(classes, np.array([0.2, 0.3, 0.4, 0.1]))
    assert list(sums) == ["astrocytoma", "papilloma", "no tumour"]
    assert sums["astrocytoma"] == pytest.approx(0.5) and sum(sums.values()) == pytest.approx(1)


def test_every_folder_of_the_collection_has_an_english_name(data_root: Path) -> None:
    folders = [folder.name for folder in (data_root / "feltrin44").iterdir() if folder.is_dir()]
    assert len(folders) == 44 and {name.rsplit(" ", 1)[0] for name in folders} == set(TYPE_TITLES)


@pytest.mark.parametrize(("task", "there"), [("subtypes", True), ("four-class", False), (None, False)])
def test_network_is_offered_where_its_card_says_what_it_is(
    tmp_path: Path, task: str | None, there: bool
) -> None:
    weights = tmp_path / NETWORK
    if task:
        weights.parent.mkdir(parents=True)
        facts = {"name": "cnn", "task": task, "classes": [], "input_size": 64, "evidence_layer": "x"}
        write_card(weights, facts | {"temperature": 1.0, "weights_sha256": ""})
    assert subtype_weights(tmp_path) == (weights if there else None)
