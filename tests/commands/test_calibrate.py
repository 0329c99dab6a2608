"""`model.py calibrate`."""

from __future__ import annotations

import json

from tests.commands.steps import Run
from utils.networks.cards import load_card
from utils.networks.shipped import ENSEMBLE, ensemble_threshold


def test_calibrate_without_a_model_fits_the_ensemble(run: Run, class_folders, models_copy) -> None:
    code, output, _ = run("calibrate", "--protocol", "folder", "--data", class_folders)
    record = json.loads((models_copy / ENSEMBLE).read_text())
    assert code == 0 and output.startswith("ensemble of cnn and vgg16: referral threshold ")
    versions = {name: load_card(models_copy / f"{name}.keras").version for name in ("cnn", "vgg16")}
    assert record["weights_sha256"] == versions and record["validation"]["n"] > 0
    assert ensemble_threshold(models_copy) == record["referral_threshold"]
