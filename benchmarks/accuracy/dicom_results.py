"""Errors of dciodvfy over all DICOM results of a collection of series. See docs/dicom.md.

`python -m benchmarks.accuracy.dicom_results --data DIR` needs Debian's dicom3tools. The series: MR files of DIR/dicom
and of pydicom's own collection, tumour slices of DIR/nickparvar under drawn headers of four vendors and five planes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pydicom
from pydicom.data import get_testdata_files

from benchmarks.real_series import SIDE, real_slices
from benchmarks.tables import print_table
from tests.support import mr_series
from tests.support.mr_series import Drawn
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.reading.reader import Reader
from utils.reading.segmenter import Segmenter
from utils.reading.worklist import Entry
from utils.reports.dicom.errors import NotReportable
from utils.reports.dicom.kinds import KINDS
from utils.reports.dicom.made import kind_of
from utils.reports.dicom.results import dicom_results, file_of
from utils.reports.dicom.series import ReadSeries, read_series

VENDORS = ("SIEMENS", "GE MEDICAL SYSTEMS", "Philips Medical Systems", "TOSHIBA")
PLANES = {
    "axial": mr_series.AXIAL,
    "sagittal": mr_series.SAGITTAL,
    "coronal": mr_series.CORONAL,
    "oblique": mr_series.OBLIQUE,
    "turned": mr_series.TURNED,
}
Files = list[tuple[str, bytes]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    options = parser.parse_args()
    readers = [Reader.load(weights) for weights in reading_networks()]
    segmenter = Segmenter.load(segmentation_weights())
    rows, total, count = [], 0, 0
    for name, files in [*real_series(options.data), *drawn_series(options.data)]:
        for series in read_series(files, readers, segmenter):
            if isinstance(series, ReadSeries):
                kinds, errors = _checked(series)
                rows.append([name, kinds, str(errors)])
                total += errors
                count += not kinds.startswith("none")
            else:
                rows.append([name, f"rejected: {series.reason}", ""])
    print_table("DICOM results", [["series", "objects", "errors"], *rows])
    print(f"{total} errors over {count} series with objects")


def real_series(data: Path) -> Iterator[tuple[str, Files]]:
    """MR files by vendor and series."""
    series: dict[tuple[str, str], Files] = {}
    for file in [*sorted(data.glob("dicom/**/*.dcm")), *map(Path, sorted(get_testdata_files("MR*.dcm")))]:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        if header.get("Modality") == "MR":
            key = str(header.get("Manufacturer")), str(header.get("SeriesInstanceUID"))
            series.setdefault(key, []).append((file.name, file.read_bytes()))
    yield from ((f"{vendor} ({files[0][0]})", files) for (vendor, _), files in series.items())


def drawn_series(data: Path) -> Iterator[tuple[str, Files]]:
    """Six tumour slices as a series, for each vendor and plane; every second one as an enhanced file."""
    slices = real_slices(data)
    for number, (plane, orientation) in enumerate(PLANES.items()):
        for place, vendor in enumerate(VENDORS):
            drawn = Drawn(orientation, 6, (SIDE, SIDE), (0.9, 0.9), vendor=vendor, seed=10 * number + place)
            first = (37 * drawn.seed) % max(len(slices) - 6, 1)
            make = mr_series.enhanced if (number + place) % 2 else mr_series.series
            yield f"{vendor}, {plane}, {make.__name__}", make(drawn, slices[first : first + 6])


def _checked(series: ReadSeries) -> tuple[str, int]:
    """The kinds of the objects of a series, and the errors in them; or why there are no objects."""
    try:
        made = dicom_results(replace(series, entry=_accepted(series.entry)), [*KINDS])
    except NotReportable as error:
        return f"none: {error}", 0
    errors: Counter[str] = Counter()
    for ds in made:
        with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
            file.write(file_of(ds))
            file.flush()
            run = subprocess.run(["dciodvfy", file.name], capture_output=True, text=True)
        errors.update(line for line in run.stderr.splitlines() if line.startswith("Error"))
    for line, count in errors.items():
        print(f"{count} x {line}")
    return " ".join(str(kind_of(ds)) for ds in made), errors.total()


def _accepted(entry: Entry) -> Entry:
    """The entry as if no detector had rejected it: the objects are checked, not the readings."""
    readings = tuple(replace(reading, grade="ok") for reading in entry.readings)
    segmentation = replace(entry.segmentation, grade="ok") if entry.segmentation else None
    slices = tuple(map(_accepted, entry.slices))
    return replace(entry, readings=readings, segmentation=segmentation, slices=slices)


if __name__ == "__main__":
    main()
