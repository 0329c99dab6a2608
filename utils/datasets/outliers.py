"""Images that are no brain MRI, for the outlier classifier: `more/outliers/` of the data folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path("more") / "outliers"


def load_outliers(data: Path) -> pd.DataFrame:
    """`path`, `label` (the kind of image) and `part` of the outliers in a data folder; empty where there are none.

    Of each kind the first half in the order of files is "train", the other "validation": neighbouring files may show
    one patient, and where a manifest names patients, no patient is in both.
    """
    manifest = data / FOLDER / "manifest.csv"
    if not manifest.is_file():
        return pd.DataFrame({"path": [], "label": [], "part": []}, dtype=str)
    table = pd.read_csv(manifest, dtype=str).sort_values("file")
    rank = table.groupby("label").cumcount() / table.groupby("label")["file"].transform("size")
    is_train = rank < 0.5
    seen = set(zip(table.loc[is_train, "label"], table.loc[is_train, "patient"], strict=True))
    several_patients = table.groupby("label")["patient"].transform("nunique") > 1
    repeated = np.asarray([key in seen for key in zip(table["label"], table["patient"], strict=True)])
    part = is_train | (several_patients & repeated)
    return pd.DataFrame(
        {
            "path": [str(data / FOLDER / file) for file in table["file"]],
            "label": table["label"].to_numpy(),
            "part": ["train" if in_train else "validation" for in_train in part],
        }
    )
