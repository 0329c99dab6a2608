"""utils.charts.performance: what the titles state, what is drawn, and that every theme can show it."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from tests.support.records import evaluation_record
from utils.charts import calibration, curves, performance, training
from utils.classes import CLASSES
from utils.metrics.calibration import reliability, risk_coverage
from utils.metrics.classification import figures, softmax
from utils.records.evaluation import EvaluationRecord
from utils.records.robustness import Degradation, RobustnessRecord

COUNTS = [[150, 3, 1, 2], [12, 150, 4, 3], [0, 0, 200, 0], [1, 2, 0, 140]]
HISTORY = [
    {
        "phase": "head" if epoch < 3 else "fine-tuning",
        "epoch": epoch,
        "loss": 1.0,
        "validation_loss": loss,
        "validation_accuracy": 0.5 + epoch / 20,
    }
    for epoch, loss in enumerate([1.0, 0.3, 0.4, 0.6], start=1)
]


def answers(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 4, count)
    logits = rng.normal(size=(count, 4))
    logits[np.arange(count), targets] += 2
    return targets, softmax(logits)


ROBUSTNESS = RobustnessRecord(
    model="cnn",
    protocol="patient-disjoint",
    n=300,
    accuracy=0.9,
    changes={
        "noise": Degradation(unit="of full brightness", levels=(0.1, 0.2), accuracy=(0.8, 0.5)),
        "inverted": Degradation(unit="", levels=(1,), accuracy=(0.6,)),
    },
)


def models() -> dict[str, EvaluationRecord]:
    records = {}
    for seed, title in enumerate(("CNN", "VGG16")):
        targets, probabilities = answers(seed=seed)
        labels = probabilities.argmax(axis=1)
        facts = figures(targets, labels, np.arange(200), probabilities, resamples=30)
        records[title] = evaluation_record(**facts)
    return records


def all_charts() -> dict[str, go.Figure]:
    targets, probabilities = answers()
    return {
        "confusion": performance.confusion_matrix(COUNTS),
        "roc": curves.roc_curves(targets, probabilities),
        "precision-recall": curves.precision_recall_curves(targets, probabilities),
        "reliability": calibration.reliability_diagram(reliability(probabilities, targets)),
        "training": training.training_curves(HISTORY),
        "classes": performance.per_class_bars(models()),
        "tumour": curves.tumor_roc({"first": (probabilities[:, 2], targets == 2)}),
        "coverage": calibration.risk_coverage(
            {
                "CNN": risk_coverage(
                    probabilities.max(axis=1), probabilities.argmax(axis=1) == targets, targets
                )
            }
        ),
        "accuracies": performance.accuracies(models()),
        "elsewhere": performance.tumor_detection(
            [("first", "CNN", 0.9, 0.8, 0.95), ("first", "VGG16", 0.7, 0.6, 0.8)]
        ),
        "robustness": performance.robustness(ROBUSTNESS),
    }


def title_of(figure: go.Figure) -> str:
    return figure.layout.title.text.replace("<br>", " ")


def words_of(figure: go.Figure) -> str:
    return " ".join(annotation.text for annotation in figure.layout.annotations)


@pytest.mark.parametrize("name", list(all_charts()))
def test_every_chart_fits_both_themes_and_names_its_axes(name):
    figure = all_charts()[name]
    layout = figure.layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.color is None and layout.title.font.color is None
    assert title_of(figure)
    assert max(map(len, layout.title.text.split("<br>"))) <= 50  # fits on a phone
    assert any(axis.title.text for axis in figure.select_xaxes())
    plain = figure.to_json().lower()
    assert '"jet"' not in plain.replace("template", "")
    assert "nan" not in plain


def test_confusion_matrix_shows_counts_and_row_percent():
    figure = performance.confusion_matrix(COUNTS)
    assert title_of(figure) == "Most frequent error: meningioma predicted as glioma (12 of 169)"
    heatmap = figure.data[0]
    assert heatmap.text[1][0] == "12<br>7.1 %"
    assert np.sum(heatmap.z, axis=1) == pytest.approx([100] * 4)
    assert figure.layout.yaxis.autorange == "reversed"  # the diagonal falls from the top left


def test_confusion_of_many_tells_how_often_the_very_class_is_named():
    figure = performance.confusion_of_many([[3, 1, 0], [0, 0, 0], [0, 0, 4]], ["a", "b", "c"])
    assert "88 % of 8 scans" in figure.layout.title.text.replace("<br>", " ")
    assert figure.data[0].z.tolist() == [[75, 25, 0], [0, 0, 0], [0, 0, 100]]
    assert list(figure.data[0].y) == ["a", "b", "c"] and figure.layout.yaxis.autorange == "reversed"


def test_confusion_matrix_without_a_mistake_or_a_row():
    figure = performance.confusion_matrix(np.diag([5, 0, 3, 2]).tolist())
    assert title_of(figure) == "All 10 scans classified correctly"
    assert figure.data[0].text[1][1] == "0<br>0.0 %"


def test_roc_curves_are_labelled_with_the_area_of_the_figures():
    targets, probabilities = answers()
    expected = figures(targets, probabilities.argmax(axis=1), np.arange(200), probabilities, resamples=0)
    figure = curves.roc_curves(targets, probabilities)
    for name in CLASSES:
        assert f"AUC {expected['classes'][name]['auc']:.3f}" in words_of(figure)
    weakest = min(CLASSES, key=lambda name: expected["classes"][name]["auc"])
    assert f"(AUC {expected['classes'][weakest]['auc']:.3f})" in title_of(figure)
    lines = [trace for trace in figure.data if trace.name != "chance"]
    assert len({line.line.color for line in lines}) == len({line.line.dash for line in lines}) == 4


@pytest.mark.parametrize("draw", [curves.roc_curves, curves.precision_recall_curves])
def test_curves_leave_out_classes_that_do_not_occur(draw):
    targets, probabilities = answers()
    some = targets < 2
    assert words_of(draw(targets[some], probabilities[some])).count("■") == 2
    is_third = targets == 2
    assert title_of(draw(targets[is_third], probabilities[is_third])).startswith("Only one class")


def test_reliability_diagram_says_which_side_the_network_errs_on():
    sure = np.tile([0.97, 0.01, 0.01, 0.01], (10, 1))
    figure = calibration.reliability_diagram(reliability(sure, np.array([0] * 5 + [1] * 5)))
    assert title_of(figure) == "Overconfident: confidence 47.0 percentage points above accuracy"
    points, bars = figure.data[1], figure.data[2]
    assert list(bars.text) == ["10"] or list(bars.text) == [10]
    assert points.y[0] + points.error_y.array[0] < 1 and points.y[0] - points.error_y.arrayminus[0] > 0
    unsure = np.tile([0.4, 0.2, 0.2, 0.2], (10, 1))
    assert title_of(calibration.reliability_diagram(reliability(unsure, np.zeros(10, int)))).startswith(
        "Underconfident"
    )


def test_training_curves_mark_the_change_of_phase_and_the_best_epoch():
    figure = training.training_curves(HISTORY)
    assert (
        title_of(figure) == "Weights kept from epoch 3 of 4: validation loss 0.40"
    )  # not epoch 2, of another phase
    assert {shape.x0 for shape in figure.layout.shapes} == {2.5}
    assert "head" in words_of(figure) and "fine-tuning" in words_of(figure)
    one_phase = training.training_curves([{**row, "phase": "from scratch"} for row in HISTORY])
    assert not one_phase.layout.shapes
    with pytest.raises(ValueError):
        training.training_curves([])


@pytest.mark.parametrize("name", ["recall", "auc"])
def test_per_class_bars_carry_the_intervals(name):
    measured = models()
    figure = performance.per_class_bars(measured, name)
    bars = [trace for trace in figure.data if trace.type == "bar"]
    assert [bar.name for bar in bars] == ["CNN", "VGG16"]
    figures = measured["VGG16"].classes["pituitary"]
    value, interval = figures.figure(name), figures.interval(name)
    assert value is not None and interval is not None
    low, high = interval
    assert bars[1].x[3] == value
    assert (bars[1].error_x.array[3], bars[1].error_x.arrayminus[3]) == pytest.approx(
        (high - value, value - low)
    )
    least = min(record.classes[label].figure(name) or 0 for record in measured.values() for label in CLASSES)
    assert f"{least:.3f}" in title_of(figure)


def test_a_class_without_a_test_scan_has_no_bar():
    measured = {}
    for title, record in models().items():
        empty = record.classes["pituitary"].model_copy(update={"n": 0, "recall": 0.0})
        measured[title] = record.model_copy(update={"classes": record.classes | {"pituitary": empty}})
    figure = performance.per_class_bars(measured)
    assert "pituitary" not in title_of(figure)
    assert all(trace.x[CLASSES.index("pituitary")] is None for trace in figure.data if trace.type == "bar")


def test_per_class_bars_without_values():
    targets, probabilities = answers()
    facts = figures(targets, probabilities.argmax(axis=1), np.zeros(200), resamples=5)
    neighbour = evaluation_record("1-nn", **facts)
    assert (
        title_of(performance.per_class_bars({"1-nearest neighbour": neighbour}, "auc"))
        == "No class has a value"
    )
    assert title_of(performance.per_class_bars({"1-nearest neighbour": neighbour})).startswith(
        "Lowest recall"
    )


def test_the_source_with_the_hardest_tumours_stands_in_the_title():
    tumor = np.array([True, True, False, False])
    easy, hard = np.array([0.9, 0.8, 0.1, 0.2]), np.array([0.9, 0.1, 0.5, 0.2])
    figure = curves.tumor_roc({"easy": (easy, tumor), "hard": (hard, tumor)})
    assert title_of(figure) == "Lowest tumour detection: hard, AUC 0.500"
    assert "easy, AUC 1.000" in words_of(figure)


def test_referring_the_unsure_is_told_at_80_percent():
    confidence = np.linspace(1, 0.1, 10)
    right = np.array([True] * 8 + [False] * 2)
    table = risk_coverage(confidence, right, np.arange(10))
    figure = calibration.risk_coverage({"CNN": table})
    assert title_of(figure) == "Accuracy at 80 % coverage: CNN 100.0 %"
    assert figure.data[1].y[-1] == pytest.approx(80) and figure.data[1].x[-1] == 100
    assert table["low"].iloc[-1] < 0.8 < table["high"].iloc[-1]


def test_the_best_network_stands_in_the_title_with_its_interval():
    best = evaluation_record(accuracy=0.9, accuracy_interval=(0.85, 0.94))
    figure = performance.accuracies({"CNN": best, "VGG16": evaluation_record("vgg16", accuracy=0.8)})
    assert title_of(figure) == "Highest accuracy: CNN, 90.0 % (85.0-94.0)"
    assert figure.data[0].error_x.arrayminus[0] == pytest.approx(5)


def test_the_part_with_the_hardest_tumours_stands_in_the_title():
    rows = [("first", "CNN", 0.9, 0.85, 0.95), ("second", "CNN", 0.7, 0.6, 0.8)]
    assert title_of(performance.tumor_detection(rows)) == (
        "Lowest tumour detection: second, AUC 0.700 (0.600-0.800, CNN)"
    )


def test_recall_s_interval_stands_beside_its_class():
    figure = performance.confusion_matrix(COUNTS, [[0.9, 0.98], None, None, None])
    assert figure.data[0].y[0] == "glioma<br>(90-98 %)" and figure.data[0].x[0] == "glioma"


def test_the_strongest_fall_stands_in_the_title():
    figure = performance.robustness(ROBUSTNESS)
    assert title_of(figure) == "Lowest accuracy under noise 0.2: 50 % instead of 90 %"
