"""Which runtime computes a network: Keras, or OpenVINO with float32 or bfloat16 numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card, NetworkUnavailable
from utils.networks.runtime.library import openvino

KERAS = "keras"
FLOAT32 = "openvino-f32"
BFLOAT16 = "openvino-bf16"
OPENVINO = "openvino"  # bfloat16 where the processor has it and the card was measured with it, else float32
RUNTIMES = (OPENVINO, FLOAT32, BFLOAT16, KERAS)
BFLOAT16_FLAGS = {"avx512_bf16", "amx_bf16"}  # of /proc/cpuinfo


def chosen() -> str:
    """The runtime that $BRAIN_MRI_RUNTIME names; without it OpenVINO where the package can be imported, else Keras.

    Raises NetworkUnavailable for an unknown name, and where the package is missing.
    """
    name = os.environ.get("BRAIN_MRI_RUNTIME") or (OPENVINO if has_openvino() else KERAS)
    if name not in RUNTIMES:
        raise NetworkUnavailable(
            f"There is no runtime {name} (BRAIN_MRI_RUNTIME); use one of {', '.join(RUNTIMES)}."
        )
    if name != KERAS and not has_openvino():
        raise NetworkUnavailable(
            f"The runtime {name} needs the package openvino; install it, or use the runtime {KERAS}."
        )
    return name


@contextmanager
def choose(name: str | None) -> Iterator[None]:
    """Use a runtime for a while, also in child processes; None: leave the choice as it is."""
    before = os.environ.get("BRAIN_MRI_RUNTIME")
    if name:
        os.environ["BRAIN_MRI_RUNTIME"] = name
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("BRAIN_MRI_RUNTIME", None)
        else:
            os.environ["BRAIN_MRI_RUNTIME"] = before


@contextmanager
def reference() -> Iterator[None]:
    """Compute in float32 for a while, unless bfloat16 or Keras was demanded: what is measured does not depend on the
    processor then. Raises NetworkUnavailable as `chosen`.
    """
    with choose(FLOAT32 if chosen() == OPENVINO else None):
        yield


def runtime_of(card: Card) -> str:
    """KERAS, FLOAT32 or BFLOAT16: what computes a network now. bfloat16 is for classifiers alone.

    Raises NetworkUnavailable as `chosen`, and where bfloat16 is demanded without a processor or card for it.
    """
    name = chosen()
    if name == OPENVINO:
        return BFLOAT16 if card.bfloat16 and has_bfloat16() else FLOAT32
    if name == BFLOAT16:
        check_bfloat16()
        if card.task == SEGMENTATION:
            return FLOAT32
        if card.bfloat16 is None:
            raise NetworkUnavailable(
                f"The network {card.name} was not measured in bfloat16; use the runtime {FLOAT32}."
            )
    return name


def served(card: Card) -> Card:
    """The card with the values that were measured in the numbers that the network is computed in now."""
    return card.measured_in_bfloat16() if runtime_of(card) == BFLOAT16 else card


def check_bfloat16() -> None:
    """Raises NetworkUnavailable where the processor does not compute in bfloat16."""
    if not has_bfloat16():
        raise NetworkUnavailable(
            f"This processor has neither AVX512-BF16 nor AMX, which the runtime {BFLOAT16} needs; use {FLOAT32}."
        )


@cache
def has_openvino() -> bool:
    """Whether the package `openvino` can be imported here."""
    try:
        openvino()
    except (ImportError, OSError):
        return False
    return True


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16. False where the system does not say (only Linux does)."""
    return bool(processor_flags() & BFLOAT16_FLAGS)


@cache
def processor_flags() -> frozenset[str]:
    """The instruction sets of the processor, as Linux names them; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(flags.partition(":")[2].split())
