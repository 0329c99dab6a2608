"""Two networks on the same scans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from utils.classes import OTHER_TUMOR
from utils.datasets.protocols import protocol_named
from utils.results.comparison import agreement_in_words, clustered_mcnemar, in_words, paired_test
from utils.results.records import MeasuredModel


def answers(only_first: int, only_second: int, both: int) -> tuple[np.ndarray, np.ndarray]:
    first = np.array([True] * only_first + [False] * only_second + [True] * both)
    return first, np.array([False] * only_first + [True] * (only_second + both))


def test_with_one_scan_a_group_it_is_mcnemars_test():
    first, second = answers(25, 10, 200)
    paired = clustered_mcnemar(first, second, np.arange(235))
    assert (paired.n, paired.groups, paired.first_alone, paired.second_alone) == (235, 235, 25, 10)
    assert paired.p == pytest.approx(chi2.sf((25 - 10) ** 2 / 35, 1))


def test_slices_of_one_patient_are_one_piece_of_evidence():
    first, second = answers(25, 0, 200)
    apart = clustered_mcnemar(first, second, np.arange(225))
    together = clustered_mcnemar(first, second, [0] * 25 + list(range(1, 201)))
    assert apart.p < 1e-5 and together.p > 0.3


def test_alike_is_no_difference_and_what_does_not_fit_is_refused():
    first, _ = answers(3, 2, 5)
    assert clustered_mcnemar(first, first, np.arange(10)).p == 1
    with pytest.raises(ValueError, match="do not fit"):
        clustered_mcnemar(first, first[:-1], np.arange(10))


def evaluation(model: str, labels: list[str], protocol: str = "patient-disjoint") -> MeasuredModel:
    table = pd.DataFrame({"file": [f"{n}.png" for n in range(len(labels))], "source": "a", "label": labels})
    return MeasuredModel(
        model, protocol_named(protocol), table.assign(group=range(len(labels)), target="glioma")
    )


def test_the_record_is_taken_on_scans_that_both_have_read():
    first = evaluation("cnn", ["glioma", "glioma", "no_tumor", "glioma"])
    second = evaluation("vgg16", ["glioma", "no_tumor", "glioma"])
    paired = paired_test(first, second)
    assert paired is not None and (paired.n, paired.first_alone, paired.second_alone) == (3, 1, 1)
    assert "no significant difference (p" in in_words(paired, "CNN", "VGG16")
    assert paired_test(first, evaluation("vgg16", ["glioma"], "published")) is None
    assert paired_test(first, MeasuredModel("vgg16", protocol_named("patient-disjoint"), None)) is None


def test_tumours_without_a_name_are_no_part_of_the_record():
    first, second = evaluation("cnn", ["glioma", "no_tumor"]), evaluation("vgg16", ["glioma", "glioma"])
    assert first.predictions is not None
    first.predictions["target"] = ["glioma", OTHER_TUMOR]
    paired = paired_test(first, second)
    assert paired is not None and (paired.n, paired.first_alone, paired.second_alone) == (1, 0, 0)


def test_words_name_the_better_one():
    first, second = answers(40, 5, 100)
    words = in_words(clustered_mcnemar(first, second, np.arange(145)), "CNN", "VGG16")
    assert (
        "CNN alone was correct on 40 and VGG16 alone on 5: CNN is significantly more accurate (p < 0.001"
        in words
    )


def test_what_agreement_is_worth() -> None:
    table = pd.DataFrame(
        {
            "target": ["glioma", "glioma", "pituitary", "pituitary", OTHER_TUMOR],
            "label": ["glioma", "meningioma", "pituitary", "pituitary", "glioma"],
            "agreed": [True, True, True, False, True],
        }
    )
    sentence = "Concordant on 75 % of held-out test scans; accuracy on these 66.7 %."
    assert agreement_in_words(table) == sentence
    assert agreement_in_words(table.assign(agreed=False)) == "Concordant on no held-out test scan."
