"""Sampling probabilities that keep skull stripping, source and sequence from predicting a tumour.

The further collections are unequal: nearly all of their tumours are skull-stripped, nearly all of their healthy scans
are T1, and a patient has one slice or a hundred.
"""

from __future__ import annotations

import numpy as np
import pandas as pd


def sampling_probabilities(rows: pd.DataFrame) -> np.ndarray:
    """(N,) float64 with a sum of 1, for a sample table (`is_skull_stripped`, `target`, `source`, `sequence`, `plane`,
    `picture`, `group`).

    Skull-stripped tumours, skull-stripped scans without tumour, and both with skull count by the square root of their
    number of images. Among these, so do sources, the sequences, planes and classes of a source, and the patients of
    these. Rows of one image share its probability.
    """
    images = rows.drop_duplicates("picture")
    levels = {
        "stratum": images["is_skull_stripped"].astype(str) + (images["target"] == "no_tumor").astype(str),
        "source": images["source"],
        "kind": images["sequence"] + " " + images["plane"] + " " + images["target"],
        "patient": images["group"],
    }
    table = pd.DataFrame(levels)
    shares = pd.Series(1.0, table.index)
    path: list[str] = []
    for level in levels:
        path = [*path, level]
        counts = table.groupby(path)[level].transform("size")
        sizes = np.sqrt(counts)
        each = sizes / counts  # the images of a branch together have its size
        parents = [table[name] for name in path[:-1]]
        totals = each.groupby(parents).transform("sum") if parents else each.sum()
        shares *= sizes / totals
    shares /= counts
    of_image = pd.Series(shares.to_numpy(), images["picture"].to_numpy())
    copies = rows.groupby("picture")["picture"].transform("size")
    probabilities = (rows["picture"].map(of_image) / copies).to_numpy()
    return probabilities / probabilities.sum()
