"""The commands of model.py that read scans: predict, explain, segment. Each takes arguments and gives the exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from utils.classes import CLASSES, class_of
from utils.commands.arguments import CommandError
from utils.networks.cards import OUTLINERS, evidence_scale, reading_networks, scaled_methods
from utils.paths import models_folder
from utils.reading.ood_detector import REFUSED, worst_grade
from utils.scans.files import Input, batches, files_in, output_stems, read_files
from utils.scans.scan import Scan


def predict(args: argparse.Namespace) -> int:
    from utils.reading.reader import BATCH, Reader

    readers = [Reader.load(weights) for weights in _weights_named(args.model)]
    accepted = False
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
    with args.output.open("w", encoding="utf-8") if args.output else nullcontext(sys.stdout) as stream:
        for batch in batches(read_files(files_in(args.paths)), BATCH):
            scans = [one.scan for one in batch if one.scan is not None]
            answers = zip(*(reader.read_many(scans, with_maps=False) for reader in readers), strict=True)
            for one in batch:
                line = _line(one, next(answers) if one.scan is not None else ())
                stream.write(json.dumps(line) + "\n")
                accepted = accepted or line["accepted"]
            stream.flush()
    return 0 if accepted else 1


def explain(args: argparse.Namespace) -> int:
    import numpy as np

    from utils.evidence.overlays import overlay
    from utils.reading.reader import Reader
    from utils.scans.rendering import png

    label = class_of(args.label) if args.label else None
    if args.label and label is None:
        raise CommandError(f"There is no class {args.label}; choose one of {', '.join(CLASSES)}.")
    reader = Reader.load(_weights_named(args.model)[0])
    check_layer(reader, args.layer)
    if args.method != "gradcam" and args.method not in scaled_methods():
        raise CommandError(
            f"There is no scale to draw {args.method} on: make it with `python model.py calibrate --model NAME --data "
            f"DIR` for {' and '.join(weights.stem for weights in reading_networks())}."
        )
    scale = evidence_scale(args.method)
    done = 0
    for one, scan, target in _scans_and_targets(args):
        reading = reader.read(scan)
        if reading.grade == "refused":
            print(
                f"{one.file}: this does not look like a brain MRI slice that the network knows.",
                file=sys.stderr,
            )
        if args.method != "gradcam" or args.layer:
            reading = reader.explain(scan, reading, args.method, args.layer)
        shown = label or reading.label
        np.save(target.with_name(target.name + ".cam.npy"), reading.evidence(shown))
        picture = overlay(scan.pixels, reading.strength(shown, scale))
        target.with_name(target.name + ".overlay.png").write_bytes(png(picture))
        done += 1
    return 0 if done else 1


def segment(args: argparse.Namespace) -> int:
    import numpy as np

    from utils.evidence.outlines import drawn
    from utils.reading.segmenter import Segmenter
    from utils.scans.rendering import png

    segmenter = Segmenter.load(models_folder() / f"{OUTLINERS[0]}.keras")
    done = 0
    for one, scan, target in _scans_and_targets(args):
        found = segmenter.outline(scan)
        target.with_name(target.name + ".mask.png").write_bytes(png(np.uint8(255) * found.mask))
        target.with_name(target.name + ".outline.png").write_bytes(png(drawn(scan.pixels, found.contours)))
        print(json.dumps({"file": one.file, "slice": scan.slice, **found.sizes}))
        done += 1
    return 0 if done else 1


def check_layer(reader, layer: str | None) -> None:
    """Raises CommandError where a network has no such layer with maps."""
    if layer and layer not in reader.layers:
        raise CommandError(
            f"{reader.card.name} has no layer {layer} with maps; choose one of {', '.join(reader.layers)}."
        )


def _scans_and_targets(args: argparse.Namespace) -> Iterator[tuple[Input, Scan, Path]]:
    """What can be read of `args.paths`, each with the stem of its results below `args.output`; the rest is told."""
    files = list(dict.fromkeys(files_in(args.paths)))
    stems = dict(zip(files, output_stems(files), strict=True))
    for one in read_files(files):
        if one.scan is None:
            print(f"{one.file}: {one.reason}", file=sys.stderr)
            continue
        target = args.output / one.stem(stems[one.path])
        target.parent.mkdir(parents=True, exist_ok=True)
        yield one, one.scan, target


def _weights_named(model: str | None) -> list[Path]:
    """The weights of one network that the app reads with, or of all of them."""
    known = {weights.stem: weights for weights in reading_networks()}
    if model is None:
        return list(known.values())
    if model not in known:
        raise CommandError(f"There is no network {model} in {models_folder()}; there are {', '.join(known)}.")
    return [known[model]]


def _line(one: Input, readings: tuple) -> dict:
    """One JSON line of `predict`. What the gate refuses gets no prediction."""
    refused = worst_grade(reading.grade for reading in readings) == "refused"
    reason = REFUSED if refused else one.reason
    readings = () if refused else readings
    labels = {reading.label for reading in readings}
    flags = sorted({flag for reading in readings for flag in reading.flags})
    return {
        "file": one.file,
        "slice": one.scan.slice if one.scan is not None else None,
        "accepted": reason is None,
        "reason": reason,
        "flags": ["refused"] if refused else flags + (["disagree"] if len(labels) > 1 else []),
        "predictions": [
            {
                "model": reading.network,
                "label": reading.label,
                "probabilities": {name: round(reading.probability(name), 6) for name in reading.classes},
            }
            for reading in readings
        ],
    }
