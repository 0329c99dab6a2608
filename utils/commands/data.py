"""`model.py data`: audit a data folder."""

from __future__ import annotations

import argparse

from utils.commands.errors import CommandError
from utils.commands.samples import add_data_arguments
from utils.datasets.samples import load_samples

SUMMARY = (
    "Audit a data folder: counts, unreadable files, duplicates across splits, nearest-neighbour accuracy."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser, is_required=False)
    parser.add_argument(
        "--download", choices=("nickparvar",), help="download this data set from Kaggle first"
    )


def run(args: argparse.Namespace) -> int:
    from utils.datasets.downloads import download_nickparvar
    from utils.evaluation.audit import audit, format_audit

    root = download_nickparvar() if args.download else args.data
    if root is None:
        raise CommandError("Choose the data: --data DIR, or --download nickparvar.")
    if args.download:
        print(f"downloaded to {root}")
    print(format_audit(audit(load_samples(root, args.sets))))
    return 0
