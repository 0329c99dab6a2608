"""The reader of series that the node and `study` use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY

CODE = """
import sys, time
from utils.commands.dicom_reading import SeriesReader
from utils.scans.decoder_process import decoder
reader = SeriesReader.load(["seg", "sr"])
reader.warm_up()
print("utils.reports.dicom.sr" in sys.modules, sorted({"pandas", "reportlab", "tensorflow"} & set(sys.modules)))
while decoder().pid is None:
    time.sleep(0.05)
"""


def test_node_is_warm_before_the_first_series_and_loads_only_what_its_results_need(
    dicom_models: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=REPOSITORY,
        env=os.environ | {"BRAIN_MRI_MODELS": str(dicom_models)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "True []"
