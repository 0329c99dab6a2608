"""`model.py objects`: the UIDs of DICOM results that were written, for removing them from an archive."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from utils.scans.files import files_in

SUMMARY = "List the DICOM results among files, with their UIDs: JSON Lines, one line an object."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")


def run(args: argparse.Namespace) -> int:
    from utils.reports.dicom.made import made_objects

    count = 0
    for file, facts in made_objects(files_in(args.paths)):
        print(json.dumps({"file": str(file), **facts}))
        count += 1
    return 0 if count else 1
