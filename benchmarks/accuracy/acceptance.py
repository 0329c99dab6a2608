"""How far an acceptance at a site can be trusted: intervals, verdicts and drift monitor in simulation. See
docs/acceptance.md.

`python -m benchmarks.accuracy.acceptance --data DIR` writes models/evaluation/acceptance.json, which the app and
`model.py accept` compare sites with. Without --data nothing is written, and the drift monitor, which needs scans, is
left out.
"""

from __future__ import annotations

import argparse
import datetime
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.accuracy import drift
from benchmarks.accuracy.ensemble import predictions
from benchmarks.tables import print_table
from utils.acceptance.figures import figures
from utils.acceptance.profile import evaluated_rule
from utils.acceptance.run import accept
from utils.acceptance.scores import ScoredScan, Scores, answers
from utils.acceptance.verdict import FIGURE_TITLES, VERDICT_TITLES
from utils.classes import CLASSES
from utils.datasets.protocols import shipped_protocol
from utils.metrics.ensemble import NO_TUMOR
from utils.metrics.proportions import share
from utils.networks.registry import app_networks
from utils.networks.runtime.choice import reference
from utils.networks.shipped import load_ensemble
from utils.paths import current_commit, models_folder
from utils.records.acceptance import AcceptanceRecord, AnswerRule, Coverage, Share
from utils.records.base import write_record
from utils.results.records import load_out_of_distribution
from utils.training.ensemble_calibration import unseen_answers

SCANS = 100  # of one site
MOST_OF_A_PATIENT = 5  # scans
DRAWS = 1000
VERDICT_DRAWS = 100  # each with its cross-validation
KEYS = ["file", "source"]
MEASURED = ("sensitivity", "specificity", "correct_type", "answered", "correct_answers")


def held_out_scans() -> list[ScoredScan]:
    """The test scans of the app's protocol, from stored predictions."""
    table = predictions(shipped_protocol().name)
    return _scored(shipped_protocol().name, table, table[list(CLASSES)].to_numpy())


def never_seen_scans() -> dict[str, list[ScoredScan]]:
    """Protocol -> scans of collections that no network had seen, from stored predictions."""
    return {name: _scored(name, *parts) for name, parts in unseen_answers().items()}


def _scored(protocol: str, table: pd.DataFrame, joint: np.ndarray) -> list[ScoredScan]:
    """Scans with the groups and labels of the stored predictions. Those do not have grades: all count as usual."""
    stored = {
        name: pd.read_csv(models_folder() / "evaluation" / f"{name}--{protocol}.csv").set_index(KEYS)
        for name in app_networks()
    }
    keys = pd.MultiIndex.from_frame(table[KEYS])
    columns = {name: rows.loc[keys, "label"].tolist() for name, rows in stored.items()}
    groups = next(iter(stored.values())).loc[keys, "group"].tolist()
    return [
        ScoredScan(
            target, str(group), joint[row], {name: labels[row] for name, labels in columns.items()}, "ok", ()
        )
        for row, (target, group) in enumerate(zip(table["target"], groups, strict=True))
    ]


def draw_scans(scans: Sequence[ScoredScan], random: np.random.Generator) -> list[ScoredScan]:
    """SCANS scans, each of another, unknown patient."""
    return [replace(scans[row], patient="") for row in random.choice(len(scans), SCANS)]


def draw_patients(scans: Sequence[ScoredScan], random: np.random.Generator) -> list[ScoredScan]:
    """MOST_OF_A_PATIENT scans of each of some patients, or all that there are, until there are SCANS."""
    by_patient: dict[str, list[ScoredScan]] = defaultdict(list)
    for scan in scans:
        by_patient[scan.patient].append(scan)
    patients = list(by_patient.values())
    drawn: list[ScoredScan] = []
    while len(drawn) < SCANS:
        own = patients[random.integers(len(patients))]
        chosen = random.permutation(len(own))[:MOST_OF_A_PATIENT]
        drawn += [replace(own[row], patient=f"patient {len(drawn)}") for row in chosen]
    return drawn


def draw_kinds(scans: Sequence[ScoredScan], random: np.random.Generator) -> list[ScoredScan]:
    """SCANS scans of unknown patients, half of them with a tumour, as a site would bring them."""
    drawn: list[ScoredScan] = []
    for is_healthy in (True, False):
        kind = [scan for scan in scans if (scan.target == "no_tumor") == is_healthy]
        drawn += [replace(kind[row], patient="") for row in random.choice(len(kind), SCANS // 2)]
    return drawn


DRAWN_UNITS: dict[str, Callable[[Sequence[ScoredScan], np.random.Generator], list[ScoredScan]]] = {
    "scans": draw_scans,
    "patients": draw_patients,
}


def coverage(
    scans: Sequence[ScoredScan], rule: AnswerRule, unit: str, draws: int = DRAWS
) -> dict[str, Coverage]:
    """How often the interval of each figure holds the value of all scans."""
    truth = _truth(scans, rule, unit)
    held: dict[str, list[bool]] = {name: [] for name in MEASURED}
    random = np.random.default_rng(0)
    for _ in range(draws):
        drawn = Scores.of(DRAWN_UNITS[unit](scans, random))
        measured = figures(drawn, answers(drawn, rule))
        for name in MEASURED:
            here = measured.share(name)
            if here is not None:
                held[name].append(here.low <= truth[name] <= here.high)
    return {
        name: Coverage(draws=len(hits), covered=round(float(np.mean(hits)), 4)) for name, hits in held.items()
    }


def _truth(scans: Sequence[ScoredScan], rule: AnswerRule, unit: str) -> dict[str, float]:
    """The value of each figure over all scans, each with the chance that it is drawn."""
    everything = Scores.of(scans)
    answer = answers(everything, rule)
    size = np.bincount(everything.groups)[everything.groups]
    weights = np.minimum(size, MOST_OF_A_PATIENT) / size if unit == "patients" else np.ones(len(size))
    correct = np.asarray(CLASSES)[answer.labels] == everything.targets
    is_reported = answer.labels != NO_TUMOR
    parts = {
        "sensitivity": (is_reported, everything.is_tumor),
        "specificity": (~is_reported, ~everything.is_tumor),
        "correct_type": (correct, everything.is_known),
        "answered": (answer.is_answered, np.ones(len(size), bool)),
        "correct_answers": (correct, answer.is_answered & everything.is_known),
    }
    return {
        name: float(np.average(hits[rows], weights=weights[rows])) for name, (hits, rows) in parts.items()
    }


def _unusual(sources: Collection[str]) -> Share | None:
    """The share of unusual and rejected test scans of these sources, as the detector's own benchmark measured it."""
    record = load_out_of_distribution(models_folder())
    groups = [record.groups[f"fold 0, {source}"] for source in sources] if record else []
    hits = [place < round(part.n * part.marked) for part in groups for place in range(part.n)]
    return share(np.asarray(hits), np.arange(len(hits)))


def verdicts(
    scans: Sequence[ScoredScan], rule: AnswerRule, reference: AcceptanceRecord, draws: int = VERDICT_DRAWS
) -> dict[str, float]:
    """How often each verdict is given for SCANS scans (`draw_kinds`)."""
    random = np.random.default_rng(0)
    count: Counter[str] = Counter(
        accept(draw_kinds(scans, random), rule, reference).decision.verdict or "none" for _ in range(draws)
    )
    return {name: round(count[name] / draws, 3) for name in (*VERDICT_TITLES, "none")}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--draws", type=int, default=DRAWS, help="of the intervals (default: %(default)s)")
    options = parser.parse_args(arguments)
    rule, ensemble = evaluated_rule(), load_ensemble()
    assert ensemble is not None
    held_out, unseen = held_out_scans(), never_seen_scans()
    everything = {name: Scores.of(scans) for name, scans in ({"": held_out} | unseen).items()}
    ungraded = {"unusual": None, "rejected": None}  # the stored predictions have no grades
    measured = {
        name: figures(scores, answers(scores, rule)).model_copy(update=ungraded)
        for name, scores in everything.items()
    }
    unusual = {"unusual": _unusual(shipped_protocol().sets or ())}
    record = AcceptanceRecord(
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
        command="python -m benchmarks.accuracy.acceptance --data DIR",
        weights_sha256=ensemble.weights_sha256,
        held_out=measured.pop("").model_copy(update=unusual),
        never_seen=measured,
        coverage={unit: coverage(held_out, rule, unit, options.draws) for unit in DRAWN_UNITS},
        verdicts={},
        drift={},
    )
    origins = {"held-out patients": held_out} | unseen
    rates = {name: verdicts(scans, rule, record) for name, scans in origins.items()}
    record = record.model_copy(update={"verdicts": rates})
    if options.data:
        record = record.model_copy(update={"drift": drift.simulated(options.data)})
        write_record(models_folder() / "evaluation" / "acceptance.json", record)
    _print(record)


def _print(record: AcceptanceRecord) -> None:
    parts = {"held-out patients": record.held_out, **record.never_seen}
    rows = [["", *FIGURE_TITLES.values(), "ECE"]]
    for name, part in parts.items():
        shares = [part.share(figure) for figure in FIGURE_TITLES]
        words = [
            "-" if each is None else f"{each.value:.3f} ({each.low:.3f}-{each.high:.3f})" for each in shares
        ]
        rows.append([name, *words, f"{part.ece:.3f}"])
    print_table("The ensemble as evaluated", rows)
    rows = [["", *(FIGURE_TITLES[name] for name in MEASURED)]]
    for unit, by_figure in record.coverage.items():
        rows.append(
            [
                f"draws of {unit}",
                *(f"{by_figure[name].covered:.3f} of {by_figure[name].draws}" for name in MEASURED),
            ]
        )
    print_table("Intervals that hold the value of all scans", rows)
    rows = [["", *VERDICT_TITLES.values(), "No verdict"]]
    rows += [[name, *(f"{share:.2f}" for share in rates.values())] for name, rates in record.verdicts.items()]
    print_table(f"Verdicts on {SCANS} scans", rows)
    rows = [["stream", "alarms within 50 scans", "sites"]]
    rows += [[name, f"{part.alarmed:.4f}", str(part.sites)] for name, part in record.drift.items()]
    print_table("Drift monitor", rows)


if __name__ == "__main__":
    with reference():
        main()
