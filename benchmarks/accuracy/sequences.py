"""Accuracy of the recognition of sequence and plane from the image. See docs/sequences.md.

Run it with `python -m benchmarks.accuracy.sequences --data DIR`. Fold 0 is the test set. For collections never seen,
the classifiers are fitted again without a family of collections and measured on its test fold. The last part reads
stored predictions: accuracy of glioma against meningioma with and without contrast.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.tables import print_table
from utils.classes import CONTRAST
from utils.datasets.protocols import PROTOCOLS, split_samples
from utils.datasets.samples import load_samples
from utils.datasets.sequences import known_samples
from utils.datasets.sources import SOURCES
from utils.metrics.bootstrap import RESAMPLES, group_sums, group_weights, ratio, with_interval
from utils.metrics.softmax import softmax
from utils.networks.card_facts import TestEvaluation
from utils.networks.cards import Card, load_card, log_test_evaluation
from utils.networks.runtime.backend import open_network
from utils.networks.shipped import segmentation_weights
from utils.paths import current_commit, file_sha256, models_folder
from utils.reading.sequences import load_recogniser
from utils.records.base import write_record
from utils.records.sequences import ContrastFigures, KindFigures, RecognitionFigures, SequencesRecord
from utils.training.sequence_calibration import NAMES, describe_images, descriptions_of, fit_kind
from utils.wording import percent, value_with_interval

PROTOCOL = "all-collections"
CONTRAST_NETWORKS = ("cnn", "vgg16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    parser.add_argument(
        "--descriptions", type=Path, help="keep the features of the encoder in this file, and use them again"
    )
    parser.add_argument("--output", type=Path, default=models_folder() / "evaluation" / "sequences.json")
    options = parser.parse_args()
    card = load_card(segmentation_weights())
    assert card.sequences is not None
    samples = load_samples(options.data, PROTOCOLS[PROTOCOL].sets)
    rows = known_samples(split_samples(samples, PROTOCOL, card.seed))
    rows = rows[rows["part"].isin(["train", "test"])].reset_index(drop=True)
    quarters = _descriptions(card, rows, options.descriptions)
    kinds = {kind: kind_figures(card, rows, quarters, kind) for kind in NAMES}
    contrast = contrast_figures(models_folder())
    networks = {name: file_sha256(models_folder() / f"{name}.keras") for name in CONTRAST_NETWORKS}
    record = SequencesRecord(
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
        command="python -m benchmarks.accuracy.sequences --data DIR",
        weights_sha256={card.name: card.version, **networks},
        sequence=kinds["sequence"],
        plane=kinds["plane"],
        contrast=contrast,
    )
    write_record(options.output, record)
    for kind, figures in kinds.items():
        facts = {"protocol": f"{kind} recognised", "date": record.date, "commit": record.commit}
        card = log_test_evaluation(
            card, TestEvaluation(**facts, n=figures.all.n, weights_sha256=card.version)
        )
        _print(kind, figures)
    if contrast:
        print(contrast.model_dump_json(indent=1))


def kind_figures(card: Card, rows: pd.DataFrame, quarters: np.ndarray, kind: str) -> KindFigures:
    """Figures of the shipped classifier on the test part, and of others on collections that they never saw."""
    names = NAMES[kind]
    is_known = rows[kind].isin(names).to_numpy()
    in_training, in_test = ((rows["part"] == part).to_numpy() & is_known for part in ("train", "test"))
    recogniser = load_recogniser(card)
    assert recogniser is not None
    shipped, threshold = getattr(recogniser, f"{kind}s"), getattr(recogniser, f"{kind}_threshold")
    probabilities = softmax(shipped.logits(descriptions_of(quarters[in_test], kind)))
    table = answers(rows[in_test], probabilities, kind, threshold)
    # The shipped weights are those of this fit over the temperature, which is not stored
    fitted = fit_kind(rows[in_training], quarters[in_training], kind)
    temperature = float(np.linalg.norm(fitted.weights) / np.linalg.norm(shipped.weights))
    left_out = {}
    for family, sources in _families(rows["source"].unique()).items():
        is_left_out = rows["source"].isin(sources).to_numpy()
        fitted_on, tested = in_training & ~is_left_out, in_test & is_left_out
        if tested.any() and set(rows.loc[fitted_on, kind]) == set(names):
            fitted = fit_kind(rows[fitted_on], quarters[fitted_on], kind)
            logits = fitted.logits(descriptions_of(quarters[tested], kind)) / temperature
            left_out[family] = figures_of(answers(rows[tested], softmax(logits), kind, threshold))
    return KindFigures(
        all=figures_of(table),
        series=figures_of(as_series(rows[in_test], probabilities, kind, threshold)),
        classes={str(name): figures_of(part) for name, part in table.groupby("target")},
        collections={str(name): figures_of(part) for name, part in table.groupby("source")},
        confusion={
            str(name): {str(answer): int(count) for answer, count in part["answer"].value_counts().items()}
            for name, part in table.groupby("target")
        },
        left_out=left_out,
    )


def answers(rows: pd.DataFrame, probabilities: np.ndarray, kind: str, threshold: float) -> pd.DataFrame:
    """`source`, `group`, `target`, `answer` ("" below the threshold), `is_right` and `is_answered` of each image."""
    names = np.asarray(NAMES[kind])
    likeliest, is_answered = names[probabilities.argmax(axis=1)], probabilities.max(axis=1) >= threshold
    return pd.DataFrame(
        {
            "source": rows["source"].to_numpy(),
            "group": rows["group"].to_numpy(),
            "target": rows[kind].to_numpy(),
            "answer": np.where(is_answered, likeliest, ""),
            "is_right": likeliest == rows[kind].to_numpy(),
            "is_answered": is_answered,
        }
    )


def as_series(rows: pd.DataFrame, probabilities: np.ndarray, kind: str, threshold: float) -> pd.DataFrame:
    """`answers` of each series of a patient or group: all its images in one sequence and plane together."""
    keys = ["source", "group", "patient", "sequence", "plane"]
    firsts, together = [], []
    for positions in rows.groupby(keys, sort=False).indices.values():
        firsts.append(positions[0])
        logs = np.log(np.maximum(probabilities[positions], 1e-6)).mean(axis=0)
        together.append(softmax(logs[None])[0])
    return answers(rows.iloc[firsts], np.stack(together), kind, threshold)


def figures_of(table: pd.DataFrame) -> RecognitionFigures:
    """Shares with cluster-bootstrap intervals over groups."""
    group_of = np.unique(table["group"], return_inverse=True)[1]
    right, answered = table["is_right"].to_numpy(float), table["is_answered"].to_numpy(float)
    values = np.stack([np.ones(len(table)), right, answered, right * answered], axis=1)
    weights = group_weights(group_of, RESAMPLES, seed=0)
    whole, correct, given_answer, correct_answers = (weights @ group_sums(values, group_of)).T
    groups = int(group_of.max()) + 1
    return RecognitionFigures(
        n=len(table),
        groups=groups,
        **with_interval("accuracy", ratio(correct, whole), groups),
        **with_interval("answered", ratio(given_answer, whole), groups),
        **with_interval(
            "answered_accuracy",
            np.where(given_answer > 0, ratio(correct_answers, given_answer), np.nan),
            groups,
        ),
    )


def contrast_figures(models: Path) -> ContrastFigures | None:
    """From the stored predictions of CNN and VGG16 on Feltrin's test scans: the class with the higher mean probability
    of glioma and meningioma. None where they are not stored."""
    files = [models / "evaluation" / f"{name}--{PROTOCOL}.csv" for name in CONTRAST_NETWORKS]
    if not all(file.is_file() for file in files):
        return None
    tables = [pd.read_csv(file).set_index(["source", "file"]) for file in files]
    both = [table.loc[tables[0].index, ["glioma", "meningioma"]].to_numpy() for table in tables]
    rows = tables[0].reset_index()
    rows["is_right"] = (
        np.where(np.mean(both, axis=0).argmax(axis=1) == 0, "glioma", "meningioma") == rows["target"]
    )
    rows = rows[(rows["source"] == "feltrin44") & rows["target"].isin(["glioma", "meningioma"])]
    has_contrast = rows["sequence"] == CONTRAST
    return ContrastFigures(
        n=len(rows),
        n_with_contrast=int(has_contrast.sum()),
        **with_interval("without", _mean_sensitivity(rows[~has_contrast])),
        **with_interval("with_contrast", _mean_sensitivity(rows[has_contrast])),
    )


def _mean_sensitivity(rows: pd.DataFrame) -> np.ndarray:
    """(1 + R,) mean of the sensitivities for glioma and for meningioma, the first as it is."""
    group_of = np.unique(rows["group"], return_inverse=True)[1]
    weights = group_weights(group_of, RESAMPLES, seed=0)
    sensitivities = []
    for name in ("glioma", "meningioma"):
        is_class = (rows["target"] == name).to_numpy(float)
        sums = group_sums(np.stack([is_class, is_class * rows["is_right"].to_numpy(float)], axis=1), group_of)
        count, right = (weights @ sums).T
        sensitivities.append(np.where(count > 0, ratio(right, count), np.nan))
    return np.mean(sensitivities, axis=0)


def _families(sources: Iterable[str]) -> dict[str, list[str]]:
    """Family -> its collections; a collection without family stands alone."""
    families: dict[str, list[str]] = {}
    for name in sources:
        families.setdefault(SOURCES[name].family or name, []).append(name)
    return families


def _descriptions(card: Card, rows: pd.DataFrame, file: Path | None) -> np.ndarray:
    if file is not None and file.is_file():
        with np.load(file, allow_pickle=False) as archive:
            if list(archive["paths"]) == list(rows["path"]):
                return archive["quarters"]
    assert card.sequences is not None
    backend = open_network(card, card.sequences.layers)
    quarters = describe_images(backend, list(rows["path"]), card.input_size)
    if file is not None:
        np.savez(file, quarters=quarters, paths=np.asarray(rows["path"], str))
    return quarters


def _print(kind: str, figures: KindFigures) -> None:
    head = [kind, "images", "groups", "accuracy of all", "answered", "accuracy of the answered"]
    named = {"all images": figures.all, "series": figures.series, **figures.classes, **figures.collections}
    named |= {f"never seen: {name}": each for name, each in figures.left_out.items()}
    rows = [
        [
            name,
            str(each.n),
            str(each.groups),
            value_with_interval(each.accuracy, each.accuracy_interval),
            percent(each.answered, 1),
            value_with_interval(each.answered_accuracy, each.answered_accuracy_interval),
        ]
        for name, each in named.items()
    ]
    print_table(f"Recognition of the {kind}", [head, *rows])
    for name, counts in figures.confusion.items():
        print(name, counts)


if __name__ == "__main__":
    main()
