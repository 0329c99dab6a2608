"""`model.py explain`: saliency maps and their overlays as files."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from utils.classes import CLASSES, class_of
from utils.commands.errors import CommandError
from utils.commands.inputs import add_runtime_argument, check_layer, scans_and_targets, weights_of
from utils.commands.outputs import check_output_folder, write_whole
from utils.evidence.cams import METHODS
from utils.networks.shipped import evidence_scale, reading_networks, scaled_methods

if TYPE_CHECKING:
    from utils.reading.reader import Reader

SUMMARY = "Write saliency maps: STEM.cam.npy and STEM.overlay.png; STEM-sliceNNN for the slices of a stack."
DEFAULT_METHOD = "gradcam"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    parser.add_argument("--model", required=True, help="the network")
    parser.add_argument("--class", dest="label", help="the class to explain (default: the predicted class)")
    parser.add_argument(
        "--method", choices=METHODS, default=DEFAULT_METHOD, help="saliency method (default: %(default)s)"
    )
    parser.add_argument("--layer", help="a convolutional layer (default: the network's evidence layer)")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    from utils.reading.reader import Reader

    label = class_of(args.label) if args.label else None
    if args.label and label is None:
        raise CommandError(f"There is no class {args.label}; choose one of {', '.join(CLASSES)}.")
    check_output_folder(args.output)
    reader = Reader.load(weights_of(args.model)[0])
    check_layer(reader, args.layer)
    _check_scale(args.method)
    count = _write_maps(args.paths, args.output, reader, label, args.method, args.layer)
    return 0 if count else 1


def _check_scale(method: str) -> None:
    """Raises CommandError where the networks' cards have no display scale for a method."""
    if method != DEFAULT_METHOD and method not in scaled_methods():
        names = " and ".join(weights.stem for weights in reading_networks())
        raise CommandError(
            f"There is no scale for drawing {method}; measure it with `python model.py calibrate --model NAME "
            f"--data DIR` for {names}."
        )


def _write_maps(
    paths: list[Path], output: Path, reader: Reader, label: str | None, method: str, layer: str | None
) -> int:
    """Write the map and the overlay of every scan; returns the number of scans."""
    import numpy as np

    from utils.evidence.overlays import overlay
    from utils.scans.rendering import png

    scale = evidence_scale(method)
    count = 0
    for item, scan, target in scans_and_targets(paths, output):
        reading = reader.read(scan)
        if reading.grade == "refused":
            print(
                f"{item.file}: this does not look like a brain MRI slice that the network knows.",
                file=sys.stderr,
            )
        if method != DEFAULT_METHOD or layer:
            reading = reader.explain(scan, reading, method, layer)
        explained = label or reading.label
        stored_map = io.BytesIO()
        np.save(stored_map, reading.evidence(explained))
        write_whole(target.with_name(target.name + ".cam.npy"), stored_map.getvalue())
        image = overlay(scan.pixels, reading.strength(explained, scale))
        write_whole(target.with_name(target.name + ".overlay.png"), png(image))
        count += 1
    return count
