"""The patient-level answer of stacks: fits it on validation patients and measures it on held-out ones. docs/studies.md.

    python -m benchmarks.accuracy.studies --data DIR          # compares the rules, on no test patient
    python -m benchmarks.accuracy.studies --data DIR --read   # reads the validation slices (fold 1) anew, as the app
    python -m benchmarks.accuracy.studies --data DIR --fit    # fits, measures on fold 0, and writes models/study.json

The predictions of fold 0 and of the collections never seen are those that `model.py evaluate` stored.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.accuracy.ensemble import predictions
from benchmarks.tables import print_table
from utils.datasets.protocols import PROTOCOLS
from utils.datasets.samples import load_samples
from utils.metrics import ensemble, stack_fusion
from utils.metrics.detection import detection_figures, threshold_at
from utils.networks.registry import app_networks, segmenters
from utils.networks.runtime.choice import reference
from utils.networks.shipped import load_ensemble, reading_networks, segmentation_weights
from utils.paths import current_commit, models_folder
from utils.reading import study
from utils.records.base import write_record
from utils.records.measures import DetectionFigures
from utils.records.study import RuleFigures, StudyFusion
from utils.results.ensemble import ensemble_predictions
from utils.results.records import MeasuredModel

WITH_TUMOR = ("brats18", "lgg", "tumour_misc", "rsna_t1c", "brats21_flair", "fets21_t2")
HEALTHY = ("oasis_alz", "oasis2", "ibsr18", "ants_jlf60", "healthy_misc")
VALIDATION = "evaluation/studies--validation.csv"  # in the models folder: log-odds of the validation slices
T1_ALONE = (
    "skull-stripped T1"  # where sequence and stripping say nothing: both kinds of patients have such stacks
)
UNSEEN = ("unseen-brats", "unseen-lgg")
STACK = ["source", "patient", "sequence", "plane"]
SPARSE = 0.3  # share of the slices that show tumour; in these collections it is two thirds, in a hospital's series less
MOST_MISSED = (
    0.1  # share of the sparse tumour stacks of collections never seen below the limit of "no tumour"
)
Rule = Callable[[np.ndarray], float]


def highest(scores: np.ndarray) -> float:
    """The score of the most suspicious slice."""
    return float(scores.max())


RULES: dict[str, Rule] = {
    "highest of each stack": highest,
    "third highest": lambda scores: float(np.sort(scores)[-3]),
    "mean of the three highest": lambda scores: float(np.sort(scores)[-3:].mean()),
    "mean of the highest quarter": stack_fusion.stack_score,
    "mean of the highest half": lambda scores: stack_fusion.stack_score(scores, 0.5),
    "mean": lambda scores: float(scores.mean()),
    "median": lambda scores: float(np.median(scores)),
    "noisy or": lambda scores: float(np.logaddexp(0, scores).sum()),
}


def stacks_of(samples: pd.DataFrame, scores: pd.DataFrame, is_sparse: bool = False) -> pd.DataFrame:
    """One row a stack of three slices or more: STACK, `group`, `has_tumor`, `scores` ((N,) log-odds of its slices).

    samples: of `load_samples`; scores: `file`, `source`, `log_odds`. is_sparse: of the slices with tumour only as many,
    evenly spaced, as make SPARSE of the stack; the stack must have two slices without.
    """
    table = samples.merge(scores, on=["file", "source"])
    rows: list[dict[str, Any]] = []
    for key, part in table[table["patient"] != ""].sort_values("file").groupby(STACK):
        source, in_slice = str(part["source"].iloc[0]), (part["label"] != "no_tumor").to_numpy()
        if in_slice.any() != (source in WITH_TUMOR):
            continue  # the tumour is on none of the slices of this stack
        values = part["log_odds"].to_numpy(float)
        if is_sparse and source in WITH_TUMOR:
            without = np.flatnonzero(~in_slice)
            count = max(1, round(len(without) * SPARSE / (1 - SPARSE)))
            shown = np.flatnonzero(in_slice)
            shown = shown[np.unique(np.linspace(0, len(shown) - 1, count + 2).round().astype(int)[1:-1])]
            values = values[np.concatenate([without, shown])] if len(without) > 1 else values[:0]
        if len(values) >= stack_fusion.LEAST_SLICES:
            facts = {"group": part["group"].iloc[0], "has_tumor": source in WITH_TUMOR, "scores": values}
            rows.append(dict(zip(STACK, key, strict=True)) | facts)
    return pd.DataFrame(rows)


def validation_scores(samples: pd.DataFrame) -> pd.DataFrame:
    """`file`, `source`, `log_odds` of the samples, read as the app reads them."""
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter
    from utils.reading.worklist import Entry, read_entries, tumor_probability
    from utils.scans.upload import read_scan_file

    fitted = load_ensemble()
    readers = [Reader.load(file) for file in reading_networks()]
    joint = JointReader(Segmenter.load(segmentation_weights()), fitted.detection if fitted else None)
    probabilities = []
    for path in samples["path"]:
        entry = Entry("", "", read_scan_file(path))
        probabilities += [tumor_probability(read) for read in read_entries([entry], readers, joint, False)]
    scores = stack_fusion.log_odds(np.asarray(probabilities)).round(5)
    return samples[["file", "source"]].assign(log_odds=scores)


def unseen_scores() -> pd.DataFrame:
    """The same of the collections that the networks which read them had never seen."""
    folder, fitted, tables = models_folder() / "evaluation", load_ensemble(), []
    for protocol in UNSEEN:
        stored = {
            name: pd.read_csv(folder / f"{name}--{protocol}.csv") for name in (*app_networks(), *segmenters())
        }
        members = [MeasuredModel(name, PROTOCOLS[protocol], stored[name]) for name in app_networks()]
        scores = stored[segmenters()[0]].dropna(subset=["tumor_score"])
        tables.append(ensemble_predictions(members, fitted.detection if fitted else None, scores))
    return _scores(pd.concat(tables, ignore_index=True))


def rule_figures(
    stacks: pd.DataFrame, rule: Rule, threshold: float = 0.0, across: str = "mean"
) -> DetectionFigures:
    """Detection on patients, whose score is the mean (or `across`: "max") of those of their stacks."""
    table = stacks.assign(score=stacks["scores"].map(rule))
    patients = table.groupby("group").agg(score=("score", across), has_tumor=("has_tumor", "any"))
    scores, tumor = patients["score"].to_numpy(), patients["has_tumor"].to_numpy()
    return DetectionFigures(**detection_figures(scores, tumor, np.arange(len(scores)), threshold))


def fit(validation: pd.DataFrame, unseen: pd.DataFrame) -> dict[str, Any]:
    """Intercept and slope on sparse validation stacks; thresholds that hold there and on collections never seen.

    Stacks with tumour weigh as much as those without, and in each kind all sources do.
    """
    scores, tumor = _scored(validation)
    per_source = validation.groupby("has_tumor")["source"].transform("nunique")
    weights = 1 / (validation["source"].map(validation["source"].value_counts()) * per_source)
    intercept, (slope,) = ensemble.fit_detection(
        scores[:, None], tumor, (weights / weights.mean()).to_numpy()
    )
    others, others_tumor = _scored(unseen)
    high = max(threshold_at(scores[~tumor]), threshold_at(others[~others_tumor]))
    low = min(high, float(np.quantile(others[others_tumor], MOST_MISSED)))
    limits = [stack_fusion.fused_probability(limit, intercept, slope) for limit in (high, low)]
    return {
        "share": stack_fusion.TOP_SHARE,
        "intercept": round(intercept, 5),
        "slope": round(slope, 5),
        "tumor_threshold": round(limits[0], 4),
        "no_tumor_threshold": round(limits[1], 4),
        "fitted_on": {str(name): int(count) for name, count in validation["source"].value_counts().items()},
    }


def measured(fusion: dict[str, Any], stacks: pd.DataFrame) -> RuleFigures:
    """The fused rule at the threshold of "tumour", and the best rule of a single slice: the highest of all."""

    def fused(scores: np.ndarray) -> float:
        score = stack_fusion.stack_score(scores)
        return fusion["intercept"] + fusion["slope"] * score

    limit = float(stack_fusion.log_odds(np.asarray(fusion["tumor_threshold"])))
    return RuleFigures(
        stacks=len(stacks),
        slices=int(stacks["scores"].map(len).sum()),
        fused=rule_figures(stacks, fused, limit),
        single_slice=rule_figures(stacks, highest, across="max"),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--read", action="store_true", help=f"write {VALIDATION} anew")
    parser.add_argument("--fit", action="store_true", help="fit, measure on fold 0, write models/study.json")
    options = parser.parse_args(arguments)
    samples = load_samples(options.data, (*WITH_TUMOR, *HEALTHY))
    samples["patient"] = samples["patient"].fillna("")
    for column in ("sequence", "plane"):
        samples[column] = samples[column].fillna("")
    validation, unseen = samples[samples["fold"] == 1], samples[samples["fold"] != 0]
    file = models_folder() / VALIDATION
    if options.read:
        validation_scores(validation[validation["patient"] != ""]).to_csv(file, index=False)
    in_validation = pd.read_csv(file)
    never_seen = unseen_scores()
    sets = {
        f"{name}{', sparse' if is_sparse else ''}": stacks_of(rows, scores, is_sparse)
        for name, rows, scores in (
            ("validation", validation, in_validation),
            ("never seen", unseen, never_seen),
        )
        for is_sparse in (False, True)
    }
    for name, stacks in sets.items():
        _print_rules(name, stacks)
    if options.fit:
        _fit_and_write(samples, sets, never_seen)


def _fit_and_write(samples: pd.DataFrame, sets: dict[str, pd.DataFrame], never_seen: pd.DataFrame) -> None:
    fusion = fit(sets["validation, sparse"], sets["never seen, sparse"])
    held_out = samples[samples["fold"] == 0]
    stored = _scores(predictions("all-collections"))
    tests = {
        f"{name}{', sparse' if is_sparse else ''}": stacks_of(held_out, scores, is_sparse)
        for name, scores in (("held-out", stored), ("held-out, never seen", never_seen))
        for is_sparse in (False, True)
    }
    is_plain = held_out["is_skull_stripped"].astype(bool) & (held_out["sequence"] == "T1")
    for name, scores in (("held-out", stored), ("held-out, never seen", never_seen)):
        tests[f"{name}, {T1_ALONE}"] = stacks_of(held_out[is_plain], scores)
    figures = {name: measured(fusion, stacks) for name, stacks in (sets | tests).items()}
    ensemble_record = load_ensemble()
    assert ensemble_record is not None
    record = StudyFusion(
        weights_sha256=ensemble_record.weights_sha256,
        figures=figures,
        command="python -m benchmarks.accuracy.studies --data DIR --fit",
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
        **fusion,
    )
    write_record(models_folder() / study.STUDY, record)
    rows = [["patients", "with tumour", "without", "stacks", *["AUC", "at 95 % specificity"] * 2]]
    for name, figure in figures.items():
        counts = [str(figure.fused.tumors), str(figure.fused.healthy), str(figure.stacks)]
        rows.append([name, *counts, *_words(figure.fused), *_words(figure.single_slice)])
    print_table("Fused answer, then highest slice", rows)
    print({key: value for key, value in fusion.items() if key != "share"})
    for name in tests:
        _print_calibration(name, fusion, tests[name])


def _print_calibration(name: str, fusion: dict[str, Any], stacks: pd.DataFrame) -> None:
    """Observed share of tumours where the answer is tumour, indeterminate or none."""
    table = stacks.assign(score=stacks["scores"].map(stack_fusion.stack_score))
    patients = table.groupby("group").agg(score=("score", "mean"), has_tumor=("has_tumor", "any"))
    probability = patients["score"].map(
        lambda score: stack_fusion.fused_probability(score, fusion["intercept"], fusion["slope"])
    )
    limits = [-1, fusion["no_tumor_threshold"], fusion["tumor_threshold"], 1]
    kinds = pd.cut(probability, limits, labels=["none", "indeterminate", "tumour"], right=False)
    counts = patients.groupby(kinds, observed=False)["has_tumor"].agg(["sum", "size"])
    words = [f"{kind}: {row['sum']} of {row['size']} have a tumour" for kind, row in counts.iterrows()]
    brier = float(((probability - patients["has_tumor"]) ** 2).mean())
    print(f"{name}: {'; '.join(words)}; Brier score {brier:.3f}")


def _scored(stacks: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(N,) scores and (N,) bool of stacks."""
    return stacks["scores"].map(stack_fusion.stack_score).to_numpy(), stacks["has_tumor"].to_numpy(bool)


def _scores(table: pd.DataFrame) -> pd.DataFrame:
    return table[["file", "source"]].assign(log_odds=-stack_fusion.log_odds(table["no_tumor"].to_numpy()))


def _print_rules(name: str, stacks: pd.DataFrame) -> None:
    rows = [["rule", "AUC", "sensitivity at 95 % specificity"]]
    figures = rule_figures(stacks, highest, across="max")
    rows.append(["highest of all slices", *_words(figures)])
    rows += [[title, *_words(rule_figures(stacks, rule))] for title, rule in RULES.items()]
    print_table(
        f"{name}: {figures.tumors} patients with tumour, {figures.healthy} without, {len(stacks)} stacks",
        rows,
    )


def _words(figures: DetectionFigures) -> list[str]:
    words = []
    for name in ("auc", "sensitivity_at_95_specificity"):
        interval = figures.interval(name)
        bounds = f" ({interval[0]:.3f}-{interval[1]:.3f})" if interval else ""
        words.append(f"{figures.figure(name):.4f}{bounds}")
    return words


if __name__ == "__main__":
    with reference():
        main()
