"""`model.py evaluate`: measure a network or a baseline on the test part of a protocol."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from utils.classes import CLASSES
from utils.commands.calibrate import with_card_sets
from utils.commands.errors import CommandError
from utils.commands.inputs import add_runtime_argument, check_layer
from utils.commands.outputs import check_output_file, check_output_folder, write_whole
from utils.commands.samples import DataOptions, add_protocol_arguments, data_options, protocol_samples
from utils.datasets.masks import with_outlines
from utils.datasets.protocols import Protocol, protocol_named
from utils.datasets.samples import load_samples
from utils.networks.registry import NETWORKS, is_segmenter
from utils.paths import models_folder
from utils.results.titles import BASELINE_TITLES

if TYPE_CHECKING:
    import pandas as pd

SUMMARY = "Measure a network on the test part of a protocol."
NEIGHBOUR = "1-nn"  # the baseline that is measured with every four-class network


@dataclass(frozen=True)
class EvaluationOptions:
    """What to measure. `weights`: None for those of the protocol; `output`: the folder for the records."""

    model: str
    protocol: Protocol
    part: str
    weights: Path | None
    data: DataOptions
    output: Path
    command_line: str

    @property
    def is_baseline(self) -> bool:
        return self.model in BASELINE_TITLES

    @property
    def is_segmentation(self) -> bool:
        return is_segmenter(self.model)

    @property
    def part_suffix(self) -> str:
        """What file names say about the part: nothing for the test part."""
        return "" if self.part == "test" else self.part


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_protocol_arguments(parser, (*NETWORKS, *BASELINE_TITLES))
    parser.add_argument(
        "--weights", type=Path, help="a .keras file (default: the protocol's network of that name)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=models_folder() / "evaluation",
        help="folder for the figures (default: evaluation/ in the models folder)",
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument(
        "--robustness",
        action="store_true",
        help="measure the robustness to image degradation (noise, blur, rotation, ...) instead",
    )
    parser.add_argument(
        "--explanations",
        action="store_true",
        help="measure the saliency maps against the tumours' masks instead",
    )
    parser.add_argument(
        "--part",
        choices=("test", "validation"),
        default="test",
        help="validation: for decisions, without a test evaluation (default: %(default)s)",
    )
    parser.add_argument(
        "--layer", help="for --explanations: a convolutional layer (default: the evidence layer)"
    )
    parser.add_argument(
        "--sample",
        type=int,
        default=150,
        help="for --explanations: tumour scans for what takes many forward passes (default: %(default)s)",
    )
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    if args.json:  # before the test evaluation, so that it is not lost
        check_output_file(args.json)
    if args.output:
        check_output_folder(args.output)
    if args.layer and not args.explanations:
        raise CommandError("--layer is for evaluate --explanations.")
    if args.sample < 5:
        raise CommandError("--sample must be at least 5.")
    evaluation = EvaluationOptions(
        args.model,
        protocol_named(args.protocol, args.left_out),
        args.part,
        args.weights,
        data_options(args.data, args.sets, args.patients),
        args.output,
        args.command_line,
    )
    if args.explanations:
        file = _measure_explanations(evaluation, args.layer, args.sample)
    elif args.part != "test" and (evaluation.is_segmentation or evaluation.is_baseline):
        raise CommandError("--part is for networks that predict classes.")
    elif args.robustness:
        file = _measure_robustness(evaluation)
    elif evaluation.is_segmentation:
        file = _measure_segmentation(evaluation)
    else:
        file = _measure_classification(evaluation)
    if args.json:
        write_whole(args.json, file.read_bytes())
    return 0


def _measure_classification(evaluation: EvaluationOptions) -> Path:
    from utils.evaluation.measurement import ClassificationResult, measure, measure_baseline, store

    protocol, command_line = evaluation.protocol.name, evaluation.command_line
    results: list[ClassificationResult] = []
    if evaluation.is_baseline:
        samples = protocol_samples(evaluation.data, evaluation.protocol, seed=0)
        results.append(measure_baseline(evaluation.model, samples, protocol, command_line))
    else:
        reader, samples = _network_and_samples(evaluation)
        rows = _rows_of(samples, evaluation.part)
        results.append(measure(reader, protocol, rows, command_line, evaluation.part))
        if evaluation.part == "test" and reader.classes == CLASSES and (samples["part"] != "test").any():
            results.append(measure_baseline(NEIGHBOUR, samples, protocol, command_line))
    suffix = evaluation.part_suffix
    files = [store(record, predictions, evaluation.output, suffix) for record, predictions in results]
    for (record, _), file in zip(results, files, strict=True):
        low, high = record.accuracy_interval or (float("nan"), float("nan"))
        print(
            f"{record.model:6} {protocol}: accuracy {record.accuracy:.4f} ({low:.4f}-{high:.4f}), "
            f"macro F1 {record.macro_f1:.4f}, n {record.n}; written to {file}"
        )
    return files[0]


def _measure_segmentation(evaluation: EvaluationOptions) -> Path:
    from utils.evaluation.measurement import measure_outlines, store
    from utils.evaluation.outline_figures import in_words

    segmenter, samples = _network_and_samples(evaluation)
    protocol = evaluation.protocol.name
    record, table = measure_outlines(
        segmenter, protocol, _rows_of(samples, evaluation.part), evaluation.command_line
    )
    file = store(record, table, evaluation.output)
    print(f"{evaluation.model} {protocol}: {in_words(record)}; written to {file}")
    return file


def _measure_robustness(evaluation: EvaluationOptions) -> Path:
    from utils.evaluation.robustness import measure_robustness, write_robustness

    if evaluation.is_baseline or evaluation.is_segmentation:
        raise CommandError("--robustness is for networks that predict classes.")
    reader, samples = _network_and_samples(evaluation)
    rows = _rows_of(samples, evaluation.part)
    record = measure_robustness(
        reader, evaluation.protocol.name, evaluation.part, rows, evaluation.command_line
    )
    file = write_robustness(record, evaluation.output)
    print(
        f"{evaluation.model}: accuracy {record.accuracy:.4f} on {record.n} unchanged scans; written to {file}"
    )
    for name, change in record.changes.items():
        levels = ", ".join(
            f"{level:g}: {accuracy:.4f}"
            for level, accuracy in zip(change.levels, change.accuracy, strict=True)
        )
        print(f"{name} ({change.unit}) {levels}")
    return file


def _measure_explanations(evaluation: EvaluationOptions, layer: str | None, sample: int) -> Path:
    from utils.evaluation.evidence_figures import summary
    from utils.evaluation.evidence_measurement import measure_evidence
    from utils.evaluation.measurement import store

    if evaluation.is_baseline or evaluation.is_segmentation:
        raise CommandError("--explanations are measured for networks that predict classes.")
    reader, samples = _network_and_samples(evaluation)
    check_layer(reader, layer)
    protocol, part = evaluation.protocol.name, evaluation.part
    rows = _rows_of(samples, part)
    record, table = measure_evidence(reader, protocol, part, rows, evaluation.command_line, layer, sample)
    suffix = "--".join(filter(None, ("explanations", evaluation.part_suffix, layer)))
    file = store(record, table, evaluation.output, suffix)
    print(
        f"{evaluation.model} {protocol}, {part}: maps at {record.layer} against the masks of {record.n} "
        f"tumour scans, and on {record.healthy} without tumour; written to {file}\n{summary(record)}"
    )
    return file


def _network_and_samples(evaluation: EvaluationOptions) -> tuple[Any, pd.DataFrame]:
    """The network (Reader or Segmenter) and the samples of the protocol.

    Raises DatasetError where the network may have learned from test images.
    """
    from utils.evaluation.unseen import check_unseen
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter

    protocol = evaluation.protocol
    kind = Segmenter if evaluation.is_segmentation else Reader
    network = kind.load(evaluation.weights or protocol.networks_folder() / f"{evaluation.model}.keras")
    card = network.card
    if protocol.takes_own_images and card.protocol != protocol.name:
        samples = _all_as_test(evaluation)
    else:
        options = with_card_sets(evaluation.data, protocol, card)
        samples = protocol_samples(options, protocol, card.seed)
    check_unseen(network.card, protocol.name, _rows_of(samples, "test"))
    return network, samples


def _all_as_test(evaluation: EvaluationOptions) -> pd.DataFrame:
    """A user's own images, for a network that was not trained on any of them."""
    samples = load_samples(evaluation.data.folder, evaluation.data.sets).assign(part="test")
    samples["target"] = samples["true_label"]
    return with_outlines(samples) if evaluation.is_segmentation else samples


def _rows_of(samples: pd.DataFrame, part: str) -> pd.DataFrame:
    return samples[samples["part"] == part].reset_index(drop=True)
