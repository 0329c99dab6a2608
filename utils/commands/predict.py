"""`model.py predict`: the networks' readings of scans, as JSON Lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from utils.classes import CLASSES
from utils.commands.errors import CommandError
from utils.commands.inputs import (
    add_runtime_argument,
    add_site_profile_argument,
    check_ensemble,
    site_profile,
    weights_of,
)
from utils.commands.outputs import check_output_file, check_output_folder, whole_text_file
from utils.networks.cards import load_card
from utils.networks.shipped import load_ensemble, segmentation_weights
from utils.reading.ood_detector import REFUSED
from utils.reading.worklist import Entry, read_entries, with_referral_thresholds, with_site_rule
from utils.reports.dicom.kinds import DEFAULT_KINDS, KINDS
from utils.scans.decoder_process import decoder
from utils.scans.files import Input, batches, files_in, output_stems, read_files
from utils.scans.images import is_plain

if TYPE_CHECKING:
    from utils.commands.drift_watch import DriftWatch
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter
    from utils.records.acceptance import AnswerRule, SiteProfile

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
    add_site_profile_argument(parser)
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    from utils.commands.drift_watch import DriftWatch
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader

    if args.output:
        check_output_file(args.output)
    if args.site_profile and args.model:
        raise CommandError("A site profile is for all networks; leave out --model or --site-profile.")
    if args.kinds and not args.dicom_output:
        raise CommandError("--kinds are those of --dicom-output DIR; name the folder, too.")
    if args.dicom_output:
        check_output_folder(args.dicom_output)
    if not args.model:
        check_ensemble()
    _start_decoder(args.paths)
    readers = [Reader.load(weights) for weights in weights_of(args.model)]
    ensemble = None if args.model else load_ensemble()
    detection = ensemble.detection if ensemble else None
    segmenter = _segmenter(args, is_in_ensemble=detection is not None)
    joint_reader = JointReader(segmenter, detection) if segmenter and not args.model else None
    networks = _Networks(
        readers,
        joint_reader,
        ensemble.referral_thresholds if ensemble else None,
        None if args.model else site_profile(args),
    )
    watch = DriftWatch(networks.site_profile)
    with whole_text_file(args.output) if args.output else nullcontext(sys.stdout) as stream:
        if args.dicom_output:
            is_any_accepted = _write_with_objects(args, networks, segmenter, watch, stream)
        else:
            is_any_accepted = _write_predictions(args.paths, networks, watch, stream)
    watch.report()
    return 0 if is_any_accepted else 1


@dataclass(frozen=True)
class _Networks:
    """The networks, the ensemble's referral thresholds and the site profile, None without one."""

    readers: Sequence[Reader]
    joint_reader: JointReader | None
    evaluated_thresholds: Mapping[str, float] | None
    site_profile: SiteProfile | None

    @property
    def rule(self) -> AnswerRule | None:
        """That of the site."""
        return self.site_profile.active_rule if self.site_profile else None

    @property
    def referral_thresholds(self) -> Mapping[str, float] | None:
        return self.rule.referral_thresholds if self.rule else self.evaluated_thresholds

    def read(self, inputs: Sequence[Input], with_maps: bool = False) -> list[Entry]:
        """One entry an input, in order."""
        entries = [Entry("", item.file, item.scan, reason=item.reason) for item in inputs]
        read = read_entries(entries, self.readers, self.joint_reader, with_maps)
        return read if self.rule is None else [with_site_rule(entry, self.rule) for entry in read]


def _write_predictions(paths: Iterable[Path], networks: _Networks, watch: DriftWatch, stream: TextIO) -> bool:
    """Write one line an image; returns whether any was accepted."""
    from utils.reading.reader import BATCH

    is_any_accepted = False
    for batch in batches(read_files(files_in(paths)), BATCH):
        for entry in networks.read(batch):
            watch.add(entry)
            line = _line(entry, networks)
            stream.write(json.dumps(line) + "\n")
            is_any_accepted = is_any_accepted or line["accepted"]
        stream.flush()
    return is_any_accepted


def _write_with_objects(
    args: argparse.Namespace,
    networks: _Networks,
    segmenter: Segmenter | None,
    watch: DriftWatch,
    stream: TextIO,
) -> bool:
    """Write one line an image, and the DICOM results of each stack when its last slice was read."""
    from utils.commands.dicom_output import DicomOutput, stacks
    from utils.reading.conclusion import Referral

    files = list(dict.fromkeys(files_in(args.paths)))
    stems = dict(zip(files, output_stems(files), strict=True))
    title = networks.site_profile.title if networks.site_profile else ""
    referral = Referral(networks.referral_thresholds, site_profile=title)
    output = DicomOutput(args.dicom_output, args.kinds or DEFAULT_KINDS, segmenter, stems, referral)
    is_any_accepted = False
    for stack in stacks(read_files(files)):
        entries = networks.read(stack, with_maps=True)
        lines = [_line(entry, networks) for entry in entries]
        for entry in entries:
            watch.add(entry)
        stream.writelines(json.dumps(line) + "\n" for line in lines)
        stream.flush()
        is_any_accepted = is_any_accepted or any(line["accepted"] for line in lines)
        if any(entry.is_read for entry in entries):
            output.write(stack, entries)
    return is_any_accepted


def _start_decoder(paths: Sequence[Path]) -> None:
    """Start the decoder process while the networks load, where the first file will need it."""
    with suppress(OSError, StopIteration), next(files_in(paths)).open("rb") as stream:
        if not is_plain(stream.read(8)):
            decoder().start()


def _segmenter(args: argparse.Namespace, is_in_ensemble: bool) -> Segmenter | None:
    """The segmentation network; None where it is missing, or nothing that is written needs it."""
    from utils.reading.segmenter import Segmenter

    weights = segmentation_weights()
    if not weights.is_file():
        return None
    is_detector = not args.model and load_card(weights).outliers is not None
    return Segmenter.load(weights) if args.dicom_output or is_in_ensemble or is_detector else None


def _line(entry: Entry, networks: _Networks) -> dict[str, Any]:
    """One JSON line. A scan that the out-of-distribution detector rejects has no predictions."""
    is_refused = entry.grade == "refused"
    reason = REFUSED if is_refused else entry.reason
    readings = () if is_refused else entry.readings
    labels = {reading.label for reading in readings}
    marks = {entry.grade} - {"ok"}
    flags = sorted(marks.union(*(reading.flags for reading in readings)))
    return {
        "file": entry.name,
        "slice": entry.scan.slice if entry.scan is not None else None,
        **entry.acquisition.columns,
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
        "ensemble": None if is_refused else _ensemble(entry, networks),
    }


def _ensemble(entry: Entry, networks: _Networks) -> dict[str, Any] | None:
    """The answer of all networks; None where they have none."""
    joint, referral_thresholds = entry.joint, networks.referral_thresholds
    if joint is None or referral_thresholds is None:
        return None
    return {
        "tumor_probability": round(joint.tumor_probability, 6),
        "label": joint.label,
        "probabilities": {
            name: round(float(value), 6) for name, value in zip(CLASSES, joint.probabilities, strict=True)
        },
        "answered": with_referral_thresholds(entry, referral_thresholds).status == "agree",
        **({"site_profile": networks.site_profile.title} if networks.site_profile else {}),
    }
