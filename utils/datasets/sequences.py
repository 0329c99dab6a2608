"""The samples whose MRI sequence or plane is known, to fit and measure their recognition."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from utils.classes import CONTRAST, PLANES, SEQUENCES

# Planes that were assigned by looking at the images; figshare's slices in Nickparvar are T1 with contrast
FIGSHARE_PLANES = Path(__file__).with_name("figshare_planes.csv")
AXIAL_SOURCES = ("feltrin44", "lgg")
MOST_IMAGES = 6  # of a group in one sequence and plane


def known_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """The rows of a sample table with a known sequence or plane; the other of the two may be "".

    One row for each different image, at most MOST_IMAGES of a group in one sequence and plane, drawn at random. Images
    that stand there under two sequences are left out.
    """
    rows = samples.copy()
    is_figshare = (rows["source"] == "nickparvar") & (rows["mask"] != "")
    planes = pd.read_csv(FIGSHARE_PLANES).set_index("file")["plane"]
    rows.loc[is_figshare, "sequence"] = CONTRAST
    rows.loc[is_figshare, "plane"] = rows.loc[is_figshare, "file"].map(planes).fillna("")
    rows.loc[rows["source"].isin(AXIAL_SOURCES), "plane"] = "axial"
    is_known = rows["sequence"].isin(SEQUENCES) | rows["plane"].isin(PLANES)
    is_ambiguous = rows.groupby("picture")["sequence"].transform("nunique") > 1
    rows = rows[is_known & ~is_ambiguous].sample(frac=1, random_state=0).drop_duplicates("picture")
    return rows.groupby(["source", "group", "sequence", "plane"]).head(MOST_IMAGES).sort_index()
