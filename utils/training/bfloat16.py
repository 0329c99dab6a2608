"""Calibration in bfloat16: what the card needs before the runtime may compute a network in it."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from utils.networks.card_facts import SEGMENTATION, Bfloat16Facts
from utils.networks.cards import Card, NetworkUnavailable, load_card, save_card
from utils.networks.runtime.choice import BFLOAT16, FLOAT32, check_bfloat16
from utils.paths import current_commit
from utils.reading.novelty import fit_thresholds
from utils.reading.ood_detector import load_detector
from utils.reading.reader import Reader
from utils.training.calibrate import calibrate_classes, outputs_of


def calibrate_bfloat16(weights: Path, samples: pd.DataFrame, command: str) -> Card:
    """Measure a classifier in bfloat16 on the validation rows; `bfloat16` of its card is written, nothing else.

    Raises NetworkUnavailable where the processor has no bfloat16, for a segmentation network, which stays in float32,
    and for a network that OpenVINO cannot compute.
    """
    check_bfloat16()
    if load_card(weights).task == SEGMENTATION:
        raise NetworkUnavailable(f"{weights.stem} segments: such networks are computed in float32 alone.")
    reader, reference = (Reader.load(weights, runtime) for runtime in (BFLOAT16, FLOAT32))
    if reader.runtime != BFLOAT16:
        raise NetworkUnavailable(
            f"{weights.stem} has layers that OpenVINO does not compute; it stays in float32."
        )
    rows = samples[(samples["part"] == "validation") & samples["target"].isin(reader.classes)]
    logits, described = outputs_of(reader, list(rows["path"]))
    expected, _ = outputs_of(reference, list(rows["path"]))
    fitted = calibrate_classes(reader, rows, logits)
    detector = load_detector(fitted)
    unusual, refused = (
        fit_thresholds(detector.training_scans.distance(described.descriptions)) if detector else (None, None)
    )
    facts = Bfloat16Facts(
        n=len(rows),
        agreement=round(float(np.mean(logits.argmax(axis=1) == expected.argmax(axis=1))), 5),
        logit_difference=round(float(np.abs(logits - expected).max()), 5),
        temperature=fitted.temperature,
        referral_threshold=fitted.referral_threshold,
        conformal_threshold=fitted.conformal_threshold,
        tumor_threshold=fitted.tumor_threshold,
        evidence_scale=fitted.evidence_scale,
        evidence_threshold=fitted.evidence_threshold,
        unusual=unusual,
        refused=refused,
        command=command,
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
    )
    card = load_card(weights).model_copy(update={"bfloat16": facts})
    save_card(card)
    return card
