"""The table of class probabilities: numbers, bars, and the finding in words."""

from __future__ import annotations

import pytest

from tests.pages.steps import table_of
from utils.charts.probabilities import probability_table


def test_each_model_has_a_column_of_percentages() -> None:
    text = probability_table(
        {"CNN": [0.001, 0.85, 0.1, 0.049], "VGG16": [0.999, 0.001, 0, 0]}, {"CNN": "#111111"}
    )
    table = table_of(text)
    assert table["CNN"].tolist() == ["< 1 %", "85 %", "10 %", "5 %"]
    assert table.index.tolist() == ["Glioma", "Meningioma", "No tumour", "Pituitary tumour"]
    assert table["VGG16"].tolist()[0] == "> 99 %"
    assert text.count('class="highest"') == 2 and "width: 85.0%; background: #111111" in text


@pytest.mark.parametrize(
    ("probabilities", "finding"),
    [
        ({"CNN": [0.001, 0.85, 0.1, 0.049]}, "CNN: meningioma 85 %"),
        (
            {"CNN": [0.6, 0.4, 0, 0], "VGG16": [0.999, 0.001, 0, 0]},
            "Concordant, glioma: CNN 60 %, VGG16 &gt; 99 %",
        ),
        (
            {"CNN": [0.6, 0.4, 0, 0], "VGG16": [0.1, 0, 0.9, 0]},
            "Discordant. CNN: glioma 60 %, VGG16: no tumour 90 %",
        ),
    ],
)
def test_finding_is_in_the_label(probabilities: dict[str, list[float]], finding: str) -> None:
    assert finding in probability_table(probabilities, {})


def test_title_of_a_model_is_no_markup() -> None:
    assert "<script" not in probability_table({"<script>": [1, 0, 0, 0]}, {})
