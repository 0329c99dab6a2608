"""The runtime is the user's choice, else OpenVINO; bfloat16 only where the processor has it and the card knows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.networks import CARD, change_card
from utils.networks.card_facts import SEGMENTATION, Bfloat16Facts
from utils.networks.cards import Card, NetworkUnavailable, load_card
from utils.networks.runtime import choice
from utils.networks.runtime.choice import BFLOAT16, FLOAT32, KERAS, OPENVINO

MEASURED = Bfloat16Facts(
    n=100,
    agreement=0.99,
    logit_difference=0.1,
    temperature=1.25,
    referral_threshold=0.8,
    unusual=3.0,
    refused=4.0,
)
NOVELTY = {
    "method": "m",
    "source": "s",
    "unusual": 1.0,
    "refused": 2.0,
    "turned": 0.5,
    "fitted_on": {"train": 1, "validation": 1},
    "validation": {"unusual_or_refused": 0.0, "refused": 0.0, "turned": 0.0, "inverted": 0.0},
    "statistics_sha256": "0",
}
PLAIN = Card.model_validate(CARD | {"classes": tuple(CARD["classes"]), "novelty": NOVELTY})
WITH_BFLOAT16 = PLAIN.model_copy(update={"bfloat16": MEASURED})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A function (runtime in the environment, flags of the processor, whether openvino can be imported)."""

    def set_up(name: str | None, flags: set[str] = frozenset(), has_openvino: bool = True) -> None:  # type: ignore[assignment]
        monkeypatch.setattr(choice, "processor_flags", lambda: frozenset(flags))
        monkeypatch.setattr(choice, "has_openvino", lambda: has_openvino)
        monkeypatch.delenv("BRAIN_MRI_RUNTIME", raising=False)
        if name:
            monkeypatch.setenv("BRAIN_MRI_RUNTIME", name)

    return set_up


@pytest.mark.parametrize("flags", [{"avx512_bf16"}, {"amx_tile", "amx_bf16"}, {"avx2", "avx512f"}, set()])
@pytest.mark.parametrize("name", [None, OPENVINO])
def test_bfloat16_needs_the_processor_and_the_card(machine, name: str | None, flags: set[str]) -> None:
    machine(name, flags)
    is_able = bool(flags & {"avx512_bf16", "amx_bf16"})
    assert choice.runtime_of(PLAIN) == FLOAT32
    assert choice.runtime_of(WITH_BFLOAT16) == (BFLOAT16 if is_able else FLOAT32)
    assert choice.served(WITH_BFLOAT16).temperature == (1.25 if is_able else PLAIN.temperature)


def test_float32_and_keras_can_be_demanded(machine) -> None:
    for name in (FLOAT32, KERAS):
        machine(name, {"avx512_bf16"})
        assert choice.runtime_of(WITH_BFLOAT16) == name
        assert choice.served(WITH_BFLOAT16) == WITH_BFLOAT16


def test_networks_for_segmentation_stay_in_float32(machine) -> None:
    segmenter = PLAIN.model_copy(update={"task": SEGMENTATION})
    for name in (None, BFLOAT16):
        machine(name, {"amx_bf16"})
        assert choice.runtime_of(segmenter) == FLOAT32


def test_keras_where_openvino_is_missing(machine) -> None:
    machine(None, has_openvino=False)
    assert choice.runtime_of(PLAIN) == KERAS


@pytest.mark.parametrize(
    ("name", "flags", "has_openvino", "card", "words"),
    [
        ("onnx", set(), True, PLAIN, "no runtime onnx"),
        (FLOAT32, set(), False, PLAIN, "needs the package openvino"),
        (BFLOAT16, {"avx512f"}, True, WITH_BFLOAT16, "neither AVX512-BF16 nor AMX"),
        (BFLOAT16, {"amx_bf16"}, True, PLAIN, "not measured in bfloat16"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_remedy(
    machine, name, flags, has_openvino, card, words
) -> None:
    machine(name, flags, has_openvino)
    with pytest.raises(NetworkUnavailable, match=words):
        choice.runtime_of(card)


def test_measured_values_replace_those_of_float32_alone() -> None:
    card = WITH_BFLOAT16.measured_in_bfloat16()
    assert (card.temperature, card.referral_threshold) == (1.25, 0.8)
    assert card.novelty is not None and (card.novelty.unusual, card.novelty.refused) == (3.0, 4.0)
    assert card.novelty.turned == 0.5, "a matter of the image alone"
    kept = WITH_BFLOAT16.model_dump(exclude={"temperature", "referral_threshold", "novelty"})
    assert card.model_dump(exclude={"temperature", "referral_threshold", "novelty"}) == kept


def test_choice_of_a_command_ends_with_it(machine) -> None:
    for before in (None, OPENVINO):
        machine(before)
        with choice.choose(KERAS):
            assert choice.chosen() == KERAS
        with choice.choose(None):
            assert os.environ.get("BRAIN_MRI_RUNTIME") == before
        assert os.environ.get("BRAIN_MRI_RUNTIME") == before


def test_flags_of_this_processor() -> None:
    assert not Path("/proc/cpuinfo").exists() or len(choice.processor_flags()) > 5


def test_unknown_runtime_is_one_sentence_of_the_command_line(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("BRAIN_MRI_RUNTIME", "onnx")
    code, output, errors = run("predict", tmp_path)
    assert (code, output) == (2, "") and errors.startswith("error: There is no runtime onnx")


def test_card_keeps_what_was_measured_in_bfloat16(models_copy: Path) -> None:
    change_card(models_copy / "cnn.keras", bfloat16=MEASURED.model_dump(exclude_unset=True))
    assert load_card(models_copy / "cnn.keras").bfloat16 == MEASURED
