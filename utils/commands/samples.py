"""Options that choose a protocol and its samples, for the commands that train and measure networks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from utils.datasets.masks import with_outlines
from utils.datasets.protocols import Protocol, command_names, shipped_protocol, split_samples
from utils.datasets.samples import load_samples


@dataclass(frozen=True)
class DataOptions:
    """Where the samples are. `sets`: names of the collections to use, None for those of the protocol; `patients`: a CSV
    with the columns file and patient."""

    folder: Path
    sets: tuple[str, ...] | None = None
    patients: Path | None = None


def add_data_arguments(parser: argparse.ArgumentParser, is_required: bool = True) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        required=is_required,
        help="folder of the data sets, or of a single one",
    )
    parser.add_argument(
        "--sets", nargs="+", type=str, help="use only these data sets (default: those of the protocol)"
    )


def add_protocol_arguments(
    parser: argparse.ArgumentParser, models: Collection[str], is_model_required: bool = True
) -> None:
    parser.add_argument("--model", choices=tuple(models), required=is_model_required, help="the network")
    parser.add_argument(
        "--protocol",
        choices=command_names(),
        default=shipped_protocol().name,
        help="how samples are split (default: %(default)s)",
    )
    parser.add_argument(
        "--left-out",
        default="feltrin44",
        help="for --protocol leave-one-source-out: the data set for the external test (default: %(default)s)",
    )
    parser.add_argument(
        "--patients",
        type=Path,
        help="for --protocol folder: a CSV file with the columns file and patient",
    )
    add_data_arguments(parser)


def data_options(folder: Path, sets: Sequence[str] | None, patients: Path | None) -> DataOptions:
    return DataOptions(folder, tuple(sets) if sets else None, patients)


def protocol_samples(
    options: DataOptions,
    protocol: Protocol,
    seed: int,
    has_masks: bool = False,
    has_boxes: bool = False,
    has_image_labels: bool = False,
) -> pd.DataFrame:
    """The samples of a protocol with their parts; files that cannot be read are listed on standard error.

    has_masks: as training and evaluation of segmentation need them; has_boxes: with training tumours of which only the
    bounding box is known; has_image_labels: also those whose place is not known. Raises DatasetError.
    """
    samples = load_samples(options.folder, options.sets or protocol.sets)
    samples = split_samples(samples, protocol.name, seed, options.patients)
    for problem in samples.attrs.get("unreadable", ()):
        print(f"skipped: {problem}", file=sys.stderr)
    return with_outlines(samples, has_boxes, has_image_labels) if has_masks else samples
