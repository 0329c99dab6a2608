"""`model.py study`: read a study of an archive by DICOMweb and, on request, store the results in it."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from typing import TYPE_CHECKING, Any

from utils.commands.dicom_reading import SeriesReader
from utils.commands.inputs import add_site_profile_argument, check_ensemble, site_profile
from utils.reports.dicom.kinds import DEFAULT_KINDS, KINDS

if TYPE_CHECKING:
    from utils.commands.dicom_reading import SeriesResults
    from utils.reports.dicom.series import ReadSeries

SUMMARY = "Read a study of a PACS by DICOMweb; with --store, store the results in it. JSON Lines, one line a series."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dicomweb", required=True, metavar="URL", help="DICOMweb root of the archive")
    parser.add_argument("--study", required=True, metavar="UID", help="StudyInstanceUID")
    parser.add_argument("--series", metavar="UID", help="only this series (default: all MR series)")
    parser.add_argument("--store", action="store_true", help="store the results in the study")
    parser.add_argument(
        "--kinds", nargs="+", choices=list(KINDS), default=DEFAULT_KINDS, help="results (default: seg sr)"
    )
    add_site_profile_argument(parser)


def run(args: argparse.Namespace) -> int:
    from utils.dicomweb.archive import Archive

    warnings.simplefilter("ignore")  # pydicom's quote what it reads
    check_ensemble()
    profile = site_profile(args)  # one that cannot be used is reported before the archive is asked
    archive = Archive(args.dicomweb)
    names = [args.series] if args.series else [entry.uid for entry in archive.series(args.study)]
    if not names:
        print("The study has no MR series.", file=sys.stderr)
        return 1
    reader = SeriesReader.load(args.kinds if args.store else (), profile)
    is_any_read = False
    for number, name in enumerate(names, 1):
        answer = reader.read(archive.files(args.study, name))
        if answer.results:
            archive.store(answer.results)
        named = {"site_profile": profile.title} if profile else {}
        print(json.dumps({"series": number, **_line(answer), **named}), flush=True)
        is_any_read = is_any_read or bool(answer.read)
    return 0 if is_any_read else 1


def _line(answer: SeriesResults) -> dict[str, Any]:
    return {
        "slices": answer.slices,
        "reasons": list(answer.reasons),
        "stacks": [_stack(series) for series in answer.read],
        "stored": [
            {"modality": str(result.Modality), "uid": str(result.SOPInstanceUID)} for result in answer.results
        ],
    }


def _answer(series: ReadSeries) -> dict[str, Any] | None:
    """The answer for the whole stack with the outlined volume; None of a single image, or without fusion."""
    from utils.reading.study import load_study_fusion, study_answer
    from utils.reading.volumetry import tumor_volume

    fusion, stack = load_study_fusion(), series.entry
    answer = study_answer([stack], fusion) if fusion and stack.slices else None
    if answer is None:
        return None
    volume = tumor_volume(stack)
    return {
        "answer": answer.kind,
        "tumor_probability": round(answer.tumor_probability, 6),
        "types": {name: round(value, 6) for name, value in answer.types.items()},
        "slices": answer.slices,
        "volume_ml": None if volume is None else round(volume.ml, 2),
    }


def _stack(series: ReadSeries) -> dict[str, Any]:
    """The readings of the key image of a stack."""
    key = series.key
    assert key.scan is not None
    return {
        "slice": key.scan.slice,
        "answer": _answer(series),
        "status": key.status,
        "predictions": [
            {
                "model": reading.network,
                "label": reading.label,
                "probabilities": {name: round(reading.probability(name), 6) for name in reading.classes},
            }
            for reading in key.readings
        ],
    }
