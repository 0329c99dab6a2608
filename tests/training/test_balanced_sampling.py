"""Sampling probabilities: neither skull stripping nor a large source or patient dominates."""

import numpy as np
import pandas as pd
import pytest

from utils.training.balanced_sampling import sampling_probabilities


def rows_of(count: int, **columns: object) -> pd.DataFrame:
    defaults = {
        "is_skull_stripped": True,
        "target": "glioma",
        "source": "a",
        "sequence": "T1",
        "plane": "axial",
    }
    return pd.DataFrame({"number": range(count)}).assign(**({"group": -1} | defaults | columns))


def table(*parts: pd.DataFrame) -> pd.DataFrame:
    """The parts below each other; every row is an image and, where no group is set, a patient."""
    rows = pd.concat(parts, ignore_index=True)
    own_group = 1000 + np.arange(len(rows))
    return rows.assign(picture=range(len(rows)), group=rows["group"].where(rows["group"] >= 0, own_group))


def test_stripped_tumours_count_by_the_root_of_their_images() -> None:
    rows = table(
        rows_of(90),
        rows_of(10, target="no_tumor"),
        rows_of(5, is_skull_stripped=False),
        rows_of(40, is_skull_stripped=False, target="no_tumor"),
    )
    probabilities = sampling_probabilities(rows)
    assert probabilities.sum() == pytest.approx(1)
    shares = pd.Series(probabilities).groupby([rows["is_skull_stripped"], rows["target"]]).sum()
    roots = np.sqrt([5, 40, 90, 10])
    np.testing.assert_allclose(shares, roots / roots.sum())


@pytest.mark.parametrize(
    "column,values", [("source", ("a", "b")), ("sequence", ("T1", "T2")), ("group", (1, 2))]
)
def test_sources_sequences_and_patients_count_by_the_root_of_their_images(column: str, values: tuple) -> None:
    rows = table(rows_of(64, **{column: values[0]}), rows_of(4, **{column: values[1]}))
    if column != "group":  # patients apart, each has one image
        rows["group"] = range(len(rows))
    shares = pd.Series(sampling_probabilities(rows)).groupby(rows[column]).sum()
    assert shares[values[0]] / shares[values[1]] == pytest.approx(4)


def test_copies_share_the_probability_of_their_image() -> None:
    rows = table(rows_of(3))
    rows["picture"] = [0, 0, 1]
    rows["group"] = [0, 0, 1]
    np.testing.assert_allclose(sampling_probabilities(rows), [0.25, 0.25, 0.5])
