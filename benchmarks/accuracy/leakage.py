"""How many test images of every protocol training has seen; writes leakage.json beside the evaluation records.

python -m benchmarks.accuracy.leakage --data DIR
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.tables import print_table
from utils.datasets.protocols import PROTOCOLS
from utils.evaluation.leakage import measure_leakage
from utils.paths import models_folder
from utils.records.base import write_record

COMMAND = "python -m benchmarks.accuracy.leakage --data DIR"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    record = measure_leakage(parser.parse_args().data, PROTOCOLS.values(), COMMAND)
    write_record(models_folder() / "evaluation" / "leakage.json", record)
    rows = [["protocol", "test images", "in training", "%"]]
    for name, split in record.splits.items():
        rows.append([name, str(split.test), str(split.in_training), f"{100 * split.share:.1f}"])
    print_table("Test images that training has seen", rows)


if __name__ == "__main__":
    main()
