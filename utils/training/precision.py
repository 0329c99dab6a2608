"""The floating-point precision of a training."""

from __future__ import annotations

from pathlib import Path

import keras


def fastest_precision() -> str:
    """The precision policy: mixed_bfloat16 where the machine computes it natively, else float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(errors="ignore")
    except OSError:
        flags = ""
    is_native = "avx512_bf16" in flags or "amx_bf16" in flags
    return "mixed_bfloat16" if is_native or _has_gpu() else "float32"


def _has_gpu() -> bool:
    if keras.backend.backend() == "torch":  # Keras lists no devices for torch
        import torch

        return torch.cuda.is_available()
    return any(device.startswith("gpu") for device in keras.distribution.list_devices())
