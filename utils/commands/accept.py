"""`model.py accept`: may the networks be used at a site? Figures on its scans of known diagnosis, and a verdict."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.commands.errors import CommandError
from utils.commands.inputs import add_runtime_argument
from utils.commands.outputs import check_output_file, whole_text_file
from utils.networks.shipped import load_ensemble, reading_networks, segmentation_weights
from utils.scans.files import files_in, series_of_file
from utils.scans.upload import file_bytes

if TYPE_CHECKING:
    from utils.acceptance.diagnoses import Diagnoses, Diagnosis
    from utils.acceptance.run import Acceptance, File
    from utils.acceptance.scores import ScoredScan
    from utils.records.acceptance import AcceptanceRecord
    from utils.records.base import Record

SUMMARY = (
    "Accept the networks at a site: figures on its scans of known diagnosis, a verdict, and a site profile."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="folder of class folders, or of scans with a CSV table"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="CSV",
        help="columns file and diagnosis, optionally patient (default: the CSV in DATA)",
    )
    parser.add_argument(
        "--name", default="This site", help="of the site, in every report (default: %(default)s)"
    )
    parser.add_argument(
        "--output", type=Path, metavar="PROFILE.json", help="write the site profile to this file"
    )
    parser.add_argument("--json", type=Path, help="also write verdict and figures to this file")
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    from utils.acceptance.diagnoses import Diagnoses
    from utils.acceptance.profile import SiteProfileError, checked_name, evaluated_rule, make_profile
    from utils.acceptance.run import File, accept
    from utils.paths import models_folder
    from utils.records.base import record_json
    from utils.results.records import load_acceptance

    for file in filter(None, (args.output, args.json)):
        check_output_file(file)
    if not args.data.is_dir():
        raise CommandError(f"{args.data} is not a folder; give the folder with the scans.")
    checked_name(args.name)
    rule, by_file = evaluated_rule(), _table(args.data, args.labels)
    files = [file for file in files_in([args.data]) if file != args.data and not _is_table(file)]
    if not files:
        raise CommandError(f"{args.data} holds no scans; give the folder with the scans.")
    named: list[File] = [
        File(file.relative_to(args.data).as_posix(), partial(file_bytes, file), series_of_file(file))
        for file in files
    ]
    scans, problems = _read(named, Diagnoses(by_file))
    for name, reason in problems:
        print(f"{name}: {reason}", file=sys.stderr)
    if not scans:
        return 1
    reference = load_acceptance(models_folder())
    acceptance = accept(scans, rule, reference)
    print(_as_text(acceptance, reference))
    if args.json:
        with whole_text_file(args.json) as stream:
            stream.write(_as_json(acceptance))
    if args.output:
        try:
            profile = make_profile(acceptance, args.name)
        except SiteProfileError as error:
            raise CommandError(f"No site profile was written. {error}") from None
        with whole_text_file(args.output) as stream:
            stream.write(record_json(profile))
        print(f"site profile {profile.title}: {args.output}")
    return 0


def _table(data: Path, labels: Path | None) -> dict[str, Diagnosis]:
    """The diagnoses of the CSV table, empty where there is none."""
    from utils.acceptance.diagnoses import read_diagnoses

    if labels is None:
        present = sorted(file for file in data.iterdir() if _is_table(file))
        if len(present) > 1:
            raise CommandError(
                f"{data} holds {len(present)} CSV tables; name the one with diagnoses with --labels."
            )
        if not present:
            return {}
        labels = present[0]
    return read_diagnoses(labels.read_bytes(), str(labels))


def _is_table(file: Path) -> bool:
    return file.suffix.lower() == ".csv" and file.is_file()


def _read(files: Sequence[File], diagnoses: Diagnoses) -> tuple[list[ScoredScan], list[tuple[str, str]]]:
    """The scores of the scans, with all networks, and what was left out."""
    from utils.acceptance.run import read_scans
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter
    from utils.reading.study import load_study_fusion
    from utils.reading.worklist import read_entries

    ensemble, weights = load_ensemble(), segmentation_weights()
    readers = [Reader.load(file) for file in reading_networks()]
    joint_reader = None
    if weights.is_file():
        joint_reader = JointReader(Segmenter.load(weights), ensemble.detection if ensemble else None)
    return read_scans(
        files,
        diagnoses,
        lambda entries: read_entries(entries, readers, joint_reader, with_maps=False),
        load_study_fusion(),
    )


def _as_text(acceptance: Acceptance, reference: AcceptanceRecord | None) -> str:
    """The verdict, and the table with columns of equal width."""
    from utils.acceptance import words

    rows = words.table(acceptance.as_evaluated, acceptance.refitted, reference)
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    decision = acceptance.decision
    return "\n".join([f"{decision.title}. {decision.reason}", "", table, "", *words.NOTES])


def _as_json(acceptance: Acceptance) -> str:
    def values(record: Record | None) -> dict[str, Any] | None:
        return record.model_dump(mode="json") if record is not None else None

    decision = acceptance.decision
    content = {
        "verdict": decision.verdict,
        "reason": decision.reason,
        "as_evaluated": values(acceptance.as_evaluated),
        "refitted": values(acceptance.refitted),
        "rule": values(acceptance.rule),
        "networks": {name: values(figures) for name, figures in acceptance.networks.items()},
    }
    return json.dumps(content, indent=1) + "\n"
