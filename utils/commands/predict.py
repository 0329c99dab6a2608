"""`model.py predict`: the networks' readings of scans, as JSON Lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from utils.commands.errors import CommandError
from utils.commands.inputs import add_runtime_argument, weights_of
from utils.commands.outputs import check_output_file, check_output_folder, whole_text_file
from utils.reading.ood_detector import REFUSED, worst_grade
from utils.reports.dicom.kinds import DEFAULT_KINDS, KINDS
from utils.scans.files import Input, batches, files_in, output_stems, read_files

if TYPE_CHECKING:
    from utils.reading.reader import Reader, Reading

SUMMARY = "Read scans: JSON Lines, one line an image or slice."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    parser.add_argument("--model", help="use only this network (default: all)")
    parser.add_argument("--output", type=Path, help="write to this file instead of standard output")
    parser.add_argument(
        "--dicom-output", type=Path, metavar="DIR", help="folder for DICOM results of MR images"
    )
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=[*KINDS],
        metavar="KIND",
        help=f"DICOM results of these kinds: {', '.join(KINDS)}",
    )
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    from utils.reading.reader import Reader

    if args.output:
        check_output_file(args.output)
    if args.kinds and not args.dicom_output:
        raise CommandError("--kinds are those of --dicom-output DIR; name the folder, too.")
    if args.dicom_output:
        check_output_folder(args.dicom_output)
    readers = [Reader.load(weights) for weights in weights_of(args.model)]
    with whole_text_file(args.output) if args.output else nullcontext(sys.stdout) as stream:
        if args.dicom_output:
            is_any_accepted = _write_with_objects(args, readers, stream)
        else:
            is_any_accepted = _write_predictions(args.paths, readers, stream)
    return 0 if is_any_accepted else 1


def _write_predictions(paths: Iterable[Path], readers: Sequence[Reader], stream: TextIO) -> bool:
    """Write one line an image; returns whether any was accepted."""
    from utils.reading.reader import BATCH

    is_any_accepted = False
    for batch in batches(read_files(files_in(paths)), BATCH):
        scans = [item.scan for item in batch if item.scan is not None]
        readings = zip(*(reader.read_many(scans, with_maps=False) for reader in readers), strict=True)
        for item in batch:
            line = _line(item, next(readings) if item.scan is not None else ())
            stream.write(json.dumps(line) + "\n")
            is_any_accepted = is_any_accepted or line["accepted"]
        stream.flush()
    return is_any_accepted


def _write_with_objects(args: argparse.Namespace, readers: Sequence[Reader], stream: TextIO) -> bool:
    """Write one line an image, and the DICOM results of each stack when its last slice was read."""
    from utils.commands.dicom_output import DicomOutput, stacks
    from utils.networks.shipped import segmentation_weights
    from utils.reading.segmenter import Segmenter

    files = list(dict.fromkeys(files_in(args.paths)))
    stems = dict(zip(files, output_stems(files), strict=True))
    weights = segmentation_weights()
    segmenter = Segmenter.load(weights) if weights.is_file() else None
    output = DicomOutput(args.dicom_output, args.kinds or DEFAULT_KINDS, segmenter, stems)
    is_any_accepted = False
    for stack in stacks(read_files(files)):
        scans = [item.scan for item in stack if item.scan is not None]
        readings = list(zip(*(reader.read_many(scans) for reader in readers), strict=True))
        lines = [_line(item, readings[place] if readings else ()) for place, item in enumerate(stack)]
        stream.writelines(json.dumps(line) + "\n" for line in lines)
        stream.flush()
        is_any_accepted = is_any_accepted or any(line["accepted"] for line in lines)
        if readings:
            output.write(stack, readings)
    return is_any_accepted


def _line(item: Input, readings: Sequence[Reading]) -> dict[str, Any]:
    """One JSON line. A scan that the out-of-distribution detector rejects has no predictions."""
    is_refused = worst_grade(reading.grade for reading in readings) == "refused"
    reason = REFUSED if is_refused else item.reason
    readings = () if is_refused else readings
    labels = {reading.label for reading in readings}
    flags = sorted({flag for reading in readings for flag in reading.flags})
    return {
        "file": item.file,
        "slice": item.scan.slice if item.scan is not None else None,
        "accepted": reason is None,
        "reason": reason,
        "flags": ["refused"] if is_refused else flags + (["disagree"] if len(labels) > 1 else []),
        "predictions": [
            {
                "model": reading.network,
                "label": reading.label,
                "probabilities": {name: round(reading.probability(name), 6) for name in reading.classes},
            }
            for reading in readings
        ],
    }
