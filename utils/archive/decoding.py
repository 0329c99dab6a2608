"""The decode actor: files of some units in, one row for each slice or refusal out. No Keras, no Ray.

Every actor has a decoder process of its own (`utils.scans.decoder_process`): a file that makes it crash or hang ends
that process, and becomes a refusal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pyarrow as pa

from utils.archive.manifest import parts_in
from utils.archive.rows import DECODED
from utils.archive.sources import Part, PartReader
from utils.reading.volumes import slices_with_brain
from utils.scans.errors import UnreadableScan
from utils.scans.limits import LARGEST_UNPACKED, MEGABYTE
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.upload import read_stacks

SLICES_AT_ONCE = 16  # in one table
NOTHING = "This file holds no image."
SERIES_FULL = (
    f"The files of this series have more than {LARGEST_UNPACKED // MEGABYTE} MB together; read it alone."
)


class Decoder:
    """Called with rows of the manifest, whole units; gives tables with the columns of `rows.DECODED`."""

    def __init__(self) -> None:
        self._reader = PartReader()

    def __call__(self, files: pa.Table) -> Iterator[pa.Table]:
        parts = zip(files["shard"].to_pylist(), files["unit"].to_pylist(), parts_in(files), strict=True)
        for (shard, unit), group in groupby(parts, key=lambda item: item[:2]):
            members = [part for _, _, part in group]
            series = members[0].series.hex() if members[0].series else None
            rows = self._rows(members)
            place = {"shard": shard, "unit": unit, "series": series, "unit_rows": len(rows)}
            for start in range(0, len(rows), SLICES_AT_ONCE):
                numbered = enumerate(rows[start : start + SLICES_AT_ONCE], start)
                table = [place | {"row": number} | row for number, row in numbered]
                yield pa.Table.from_pylist(table, schema=DECODED)

    def _rows(self, parts: list[Part]) -> list[dict[str, Any]]:
        """All rows of one unit, in a fixed order."""
        rows: list[dict[str, Any]] = []
        files: list[tuple[str, bytes]] = []
        size = 0
        for part in parts:
            try:
                size += part.size
                if size > LARGEST_UNPACKED:
                    raise UnreadableScan(SERIES_FULL)
                files.append((part.name, self._reader.read(part)))
            except UnreadableScan as refusal:
                rows.append({"source": part.name, "reason": str(refusal)})
        results = read_stacks(files) if files else []
        stacks = Counter(name for result in results if isinstance(result, Stack) for name in _names(result))
        seen: Counter[str] = Counter()
        for result in results:
            if isinstance(result, Refusal):
                rows.append({"source": result.name, "reason": result.reason})
                continue
            seen.update(_names(result))
            brain = slices_with_brain(result.on_one_scale()) if len(result.scans) > 1 else [0]
            for place, scan in enumerate(result.scans):
                number = seen[scan.name] if stacks[scan.name] > 1 else None
                rows.append(_row(scan, number) | {"brain": place in brain})
        return rows or [{"source": parts[0].name, "reason": NOTHING}]


def _names(stack: Stack) -> set[str]:
    return {scan.name for scan in stack.scans}


def _row(scan: Scan, part: int | None) -> dict[str, Any]:
    height, width = scan.shape
    return {
        "source": scan.name,
        "sha256": scan.sha256,
        "part": part,
        "slice": scan.slice,
        "pixels": scan.pixels.tobytes(),  # pyarrow never releases the memory of a memoryview
        "height": height,
        "width": width,
        "spacing": scan.spacing[0] if scan.spacing else None,
        "orientation": scan.orientation or None,
        "file_sequence": scan.sequence or None,
    }
