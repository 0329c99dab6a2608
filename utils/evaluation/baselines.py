"""Baselines without a network: fitted on the training rows, applied to the test rows.

Each takes two sample tables (`path`, `source`, `sequence`, `target`, ...) and returns one row a test image: `label`,
and where it has them the probabilities of CLASSES.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR
from utils.evaluation.audit import nearest_neighbour
from utils.networks.architectures import INPUT_SIZE
from utils.reading.novelty import image_statistics
from utils.scans.preprocessing import preprocess
from utils.scans.upload import read_scan_file


def nearest(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """The class of the most similar thumbnail."""
    train = train[train["target"] != OTHER_TUMOR]
    targets = train["target"].map(CLASSES.index).to_numpy()
    labels = nearest_neighbour(list(train["path"]), targets, list(test["path"]))
    return pd.DataFrame({"label": [CLASSES[index] for index in labels]})


def logistic(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Logistic regression on 25 statistics of brightness, border, symmetry and sharpness: lesions are no feature."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train = train[train["target"] != OTHER_TUMOR].drop_duplicates("picture")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, class_weight="balanced"))
    model.fit(_statistics(train["path"]), train["target"])
    probabilities = pd.DataFrame(model.predict_proba(_statistics(test["path"])), columns=model.classes_)
    probabilities = probabilities.reindex(columns=list(CLASSES), fill_value=0.0)
    return pd.concat([probabilities.idxmax(axis=1).rename("label"), probabilities], axis=1)


def shortcut(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Contrast means tumour: glioma for T1C+ and for Nickparvar's files of 512 x 512, else no tumour.

    It shows how far the sequence alone predicts the label: figshare's tumours are 512 x 512 T1 with contrast.
    """
    with_contrast = (test["sequence"] == "T1C+") | (test["original_side"] == 512)
    return pd.DataFrame({"label": np.where(with_contrast, "glioma", "no_tumor")})


BASELINES: dict[str, Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]] = {
    "1-nn": nearest,
    "logistic": logistic,
    "shortcut": shortcut,
}


def _statistics(paths: pd.Series) -> np.ndarray:
    """(N, 25) float32."""

    def statistics_of(path: str) -> np.ndarray:
        return image_statistics(preprocess(read_scan_file(path).pixels, INPUT_SIZE)[0])

    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(statistics_of, paths)))
