"""A trained network becomes a shipped one: small weights, the hashes of its training images, a card; calibrated."""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import keras
import pandas as pd

from utils.classes import CLASSES
from utils.datasets.duplicates import hash_files
from utils.datasets.sources import source_licence
from utils.networks.card_facts import (
    FOUR_CLASS,
    SEGMENTATION,
    SUBTYPES,
    Epoch,
    RecipeFacts,
    TeacherFacts,
    TestEvaluation,
    TrainingData,
    Versions,
)
from utils.networks.cards import Card, load_card, save_card, save_statistics
from utils.networks.registry import NETWORKS
from utils.networks.weights import save_small
from utils.paths import current_commit, file_sha256
from utils.training.calibrate import calibrate
from utils.training.loop import Trained, TrainingPlan


@dataclass(frozen=True)
class Origin:
    """Where a network comes from: the plan and protocol of its training, the command line, the teachers' cards."""

    plan: TrainingPlan
    protocol: str
    command: str
    teachers: tuple[Card, ...] = ()


def release(trained: Trained, samples: pd.DataFrame, folder: Path, origin: Origin) -> Card:
    """Write NAME.keras, NAME.json and NAME.npz (hashes of its training and validation images) and calibrate.

    samples: as given to `training.loop.train`. A network of that name in the folder is replaced; its log of test
    evaluations is kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{trained.network.name}.keras"
    save_small(trained.network, weights)
    used = samples[samples["part"] != "test"]
    save_statistics(weights.with_suffix(".npz"), picture_hashes=hash_files(list(used["path"]))[0])
    save_card(_uncalibrated_card(trained, used, weights, origin))
    return calibrate(weights, samples)


def licence(sources: Iterable[str], from_imagenet: bool) -> str:
    """The terms of use of a network that was trained on these sources."""
    base = "; starts from ImageNet weights (CC BY 4.0; ImageNet itself: non-commercial research)"
    trained = ", ".join(map(source_licence, sorted(sources))) + (base if from_imagenet else "")
    return f"Research and education only, non-commercial: trained on {trained}. See NOTICE."


def _uncalibrated_card(trained: Trained, used: pd.DataFrame, weights: Path, origin: Origin) -> Card:
    plan, network = origin.plan, trained.network
    entry = NETWORKS[network.name]
    initial = _initial_network(plan)
    inherited = initial.sources if initial else ()
    from_imagenet = "ImageNet" in initial.licence if initial else bool(plan.base_weights)
    task = SEGMENTATION if entry.is_segmenter else FOUR_CLASS if plan.classes == CLASSES else SUBTYPES
    fitted_later: dict[str, object] = (
        {"threshold": 0.5, "peak": 0.0}
        if task == SEGMENTATION
        else {"temperature": 1.0, "evidence_layer": entry.evidence_layer}
    )
    return Card(
        file=weights.with_suffix(".json"),
        name=network.name,
        task=task,
        classes=plan.classes,
        input_size=network.input_shape[1],
        parameters=network.count_params(),
        licence=licence({*used["source"], *inherited}, from_imagenet),
        protocol=origin.protocol,
        seed=plan.seed,
        sources=tuple(sorted(used["source"].unique())),
        training_data=_training_data(used),
        command=origin.command,
        recipe=RecipeFacts.model_validate(dataclasses.asdict(plan.recipe)),
        layers_from_base_weights=tuple(trained.loaded_layers),
        teachers=tuple(TeacherFacts(name=card.name, weights_sha256=card.version) for card in origin.teachers),
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
        versions=Versions(
            python=platform.python_version(),
            backend=keras.backend.backend(),
            keras=importlib.metadata.version("keras"),
            numpy=importlib.metadata.version("numpy"),
        ),
        weights_sha256=file_sha256(weights),
        test_evaluations=_earlier_test_evaluations(weights),
        figures={},
        history=tuple(Epoch.model_validate(epoch) for epoch in trained.history),
        **fitted_later,  # type: ignore[arg-type]
    )


def _training_data(used: pd.DataFrame) -> tuple[TrainingData, ...]:
    """Counts of image files and of different images by part, source and class."""
    groups = used.groupby(["part", "source", "target"])
    return tuple(
        TrainingData(
            part=part, source=source, target=target, images=len(rows), pictures=rows["picture"].nunique()
        )
        for (part, source, target), rows in groups
    )


def _initial_network(plan: TrainingPlan) -> Card | None:
    """The card of the network of ours that the training started from, if any."""
    file = str(plan.base_weights)
    return load_card(Path(file)) if file.endswith(".keras") else None


def _earlier_test_evaluations(weights: Path) -> tuple[TestEvaluation, ...]:
    """The log of the network that is about to be replaced: a retraining does not undo a look at a test set."""
    return load_card(weights).test_evaluations if weights.with_suffix(".json").is_file() else ()
