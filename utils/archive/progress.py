"""Progress on standard error: files read, rate and time left."""

from __future__ import annotations

import sys

from tqdm import tqdm


class Progress:
    """A line that is rewritten on a terminal, and written every half minute elsewhere."""

    def __init__(self, files: int, done: int) -> None:
        interval = 0.5 if sys.stderr.isatty() else 30
        self._bar = tqdm(
            total=files, initial=done, unit=" files", desc="read", file=sys.stderr,
            mininterval=interval, maxinterval=interval, dynamic_ncols=True, smoothing=0.1,
        )  # fmt: skip
        self._slices = 0

    def add(self, files: int, rows: int) -> None:
        self._slices += rows
        self._bar.set_postfix_str(f"{self._slices:,} rows", refresh=False)
        self._bar.update(files)

    def close(self) -> None:
        self._bar.close()
