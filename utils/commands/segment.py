"""`model.py segment`: the tumour's mask and outline as files, its size as JSON Lines."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from utils.commands.inputs import add_runtime_argument, scans_and_targets
from utils.commands.outputs import check_output_folder, write_whole
from utils.networks.shipped import segmentation_weights

SUMMARY = (
    "Segment tumours: STEM.mask.png and STEM.outline.png; STEM-sliceNNN for the slices of a stack. "
    "Writes JSON Lines, one line an image."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    import numpy as np

    from utils.evidence.outlines import drawn
    from utils.reading.segmenter import Segmenter
    from utils.scans.rendering import png

    check_output_folder(args.output)
    segmenter = Segmenter.load(segmentation_weights())
    count = 0
    for item, scan, target in scans_and_targets(args.paths, args.output):
        outline = segmenter.outline(scan)
        write_whole(target.with_name(target.name + ".mask.png"), png(np.uint8(255) * outline.mask))
        outlined = png(drawn(scan.pixels, outline.contours))
        write_whole(target.with_name(target.name + ".outline.png"), outlined)
        print(json.dumps({"file": item.file, "slice": scan.slice, **outline.sizes}))
        count += 1
    return 0 if count else 1
