"""`model.py cases`: the reviewed cases of the case store as a table, or as class folders for training."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from utils.cases.spreadsheet import export_csv
from utils.cases.store import Case, CaseStore, default_path
from utils.commands.errors import CommandError
from utils.commands.outputs import check_output_file, write_whole

SUMMARY = "Export the case store as a CSV table, or as class folders for train --protocol folder."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--export", type=Path, metavar="FILE", help="write the cases to this CSV table")
    parser.add_argument(
        "--originals", type=Path, metavar="DIR", help="folder of the files that were analysed"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="a new folder for copies, by class")


def run(args: argparse.Namespace) -> int:
    if (args.originals is None) != (args.output is None) or not (args.export or args.originals):
        raise CommandError("Choose the output: --export FILE.csv, or --originals DIR with --output DIR.")
    if args.export:
        check_output_file(args.export)
    cases = CaseStore.open(default_path()).cases()
    if args.export:
        write_whole(args.export, export_csv(cases).encode())
        print(f"{len(cases)} cases written to {args.export}")
    return _write_class_folders(cases, args.originals, args.output) if args.originals else 0


def _write_class_folders(cases: Sequence[Case], originals: Path, output: Path) -> int:
    """Copy the originals of labelled cases by class; returns the exit code."""
    from utils.cases.class_folders import write_class_folders

    written = write_class_folders(cases, originals, output)
    for name in written.unlabelled:
        print(f"skipped: {name}: The review has no correct label among the output classes.", file=sys.stderr)
    for name in written.missing:
        print(f"skipped: {name}: Its original is not in {originals} (unpack ZIPs).", file=sys.stderr)
    for problem in written.unusable:
        print(f"skipped: {problem}", file=sys.stderr)
    counts = ", ".join(f"{name} {count}" for name, count in written.counts.items())
    print(f"written to {output}: {counts}")
    return 0 if any(written.counts.values()) else 1
