"""Measure every stored figure again with the command of its record: `make evaluation`. Needs the data sets.

It works on a copy of the models in runs/evaluation, so that no card logs another test evaluation, and prints the
largest difference to the stored figures.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from utils.datasets.protocols import protocol_named
from utils.datasets.samples import data_folder
from utils.paths import REPOSITORY, models_folder

COPY = REPOSITORY / "runs" / "evaluation"
TOLERANCE = 1e-6  # stored figures have six decimals


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_folder())
    data = parser.parse_args().data.resolve()
    if not data.is_dir():
        sys.exit(f"error: there is no folder {data}; name the folder of the data sets with --data DIR.")
    stored = {file.name: json.loads(file.read_text()) for file in models_folder().glob("evaluation/*.json")}
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(models_folder(), COPY)
    failed = 0
    for name, record in list(stored.items()):
        card = unshipped(record, COPY)
        if card is not None:
            print(f"{name}: its weights are not shipped; first run {json.loads(card.read_text())['command']}")
            del stored[name]
    for command in dict.fromkeys(record["command"] for record in stored.values()):
        words = [str(data) if word == "DIR" else word for word in shlex.split(command)]
        print(command, flush=True)
        environment = os.environ | {"BRAIN_MRI_MODELS": str(COPY)}
        failed += (
            subprocess.run([sys.executable, *words[1:]], cwd=REPOSITORY, env=environment).returncode != 0
        )
    for name, record in sorted(stored.items()):
        distance = largest_difference(record, json.loads((COPY / "evaluation" / name).read_text()))
        verdict = "the same" if distance <= TOLERANCE else f"differs by up to {distance:.2g}"
        print(f"{name}: {verdict}")
    return 1 if failed else 0


def unshipped(record: dict, models: Path) -> Path | None:
    """The card of the network of a record's command if `models` has only the card; else None."""
    words = shlex.split(record["command"])
    if "--model" not in words or "protocol" not in record:
        return None
    card = (
        protocol_named(record["protocol"]).networks_folder(models)
        / f"{words[words.index('--model') + 1]}.json"
    )
    return card if card.is_file() and not card.with_suffix(".keras").is_file() else None


def largest_difference(stored: object, fresh: object) -> float:
    """The largest difference between the numbers that two records share."""
    if isinstance(stored, dict) and isinstance(fresh, dict):
        return max(
            (largest_difference(stored[key], fresh[key]) for key in stored.keys() & fresh.keys()), default=0.0
        )
    if isinstance(stored, list) and isinstance(fresh, list):
        return max((largest_difference(*pair) for pair in zip(stored, fresh, strict=False)), default=0.0)
    if isinstance(stored, int | float) and isinstance(fresh, int | float):
        return abs(stored - fresh)
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
