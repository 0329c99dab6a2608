"""`model.py calibrate`: fit again what a network's outputs are read with, on validation data."""

from __future__ import annotations

import argparse
import json

from utils.commands.errors import CommandError
from utils.commands.inputs import add_runtime_argument
from utils.commands.samples import DataOptions, add_protocol_arguments, data_options, protocol_samples
from utils.datasets.outliers import load_outliers
from utils.datasets.protocols import Protocol, protocol_named
from utils.evidence.outlines import PEAK_AREA
from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card, check_weights, load_card
from utils.networks.registry import NETWORKS, is_segmenter
from utils.networks.runtime.choice import BFLOAT16, check_bfloat16
from utils.wording import listed, percent

SUMMARY = (
    "Fit temperature, referral threshold, map scales and out-of-distribution detector, or the operating point of a "
    "segmentation network, again on validation data. Without --model: the ensemble, its weights on the stored "
    "predictions of the unseen protocols where there are any, its referral threshold on validation data."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_protocol_arguments(parser, NETWORKS, is_model_required=False)
    parser.add_argument(
        "--sequences",
        action="store_true",
        help="of a segmentation network, fit only the recognition of sequence and plane",
    )
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    protocol = protocol_named(args.protocol, args.left_out)
    options = data_options(args.data, args.sets, args.patients)
    if args.sequences:
        if args.model is None or not is_segmenter(args.model):
            raise CommandError("--sequences is for a segmentation network; name it with --model.")
        print(_calibrate_sequences(args.model, protocol, options))
    elif args.runtime == BFLOAT16:
        if args.model is None:
            raise CommandError(f"--runtime {BFLOAT16} measures one network; name it with --model.")
        print(_calibrate_bfloat16(args.model, protocol, options, args.command_line))
    elif args.model is None:
        print(_calibrate_ensemble(protocol, options, args.command_line))
    else:
        print(_calibrate_network(args.model, protocol, options))
    return 0


def calibration_summary(card: Card) -> str:
    """The values that were fitted on the validation part, and the figures there."""
    from utils.evaluation.outline_figures import in_words

    assert card.validation is not None
    validation = card.validation.model_dump(by_alias=True, exclude_unset=True)
    if card.task == SEGMENTATION:
        point = (
            f"segmented above probability {card.threshold} where a region of {PEAK_AREA:.0%} of the image reaches "
            f"{card.peak} (area weight {card.area_weight:.0f})"
        )
        outliers = f"\noutliers: {card.outliers.validation}" if card.outliers else ""
        recognition = f"\n{recognition_summary(card)}" if card.sequences else ""
        return f"{point}; validation: {in_words(validation)}{outliers}{recognition}"
    summary = (
        f"temperature {card.temperature}, referral threshold {card.referral_threshold}; "
        f"validation {json.dumps(validation)}"
    )
    detector = card.novelty
    if detector is None:
        return summary
    return (
        f"{summary}\nout-of-distribution detector: unusual above {detector.unusual:.3f}, "
        f"refused above {detector.refused:.3f}: {detector.validation.model_dump()}"
    )


def _calibrate_ensemble(protocol: Protocol, options: DataOptions, command_line: str) -> str:
    from utils.training.ensemble_calibration import fit_on_unseen, fit_on_validation

    samples = protocol_samples(options, protocol, seed=0)
    record = fit_on_unseen(samples, command_line) or fit_on_validation(samples, command_line)
    assert record.validation is not None
    return (
        f"ensemble of {listed(record.weights_sha256)}: referral thresholds {json.dumps(record.referral_thresholds)}; "
        f"validation {json.dumps(record.validation.model_dump())}"
    )


def _calibrate_network(model: str, protocol: Protocol, options: DataOptions) -> str:
    from utils.training.calibrate import calibrate

    weights = protocol.networks_folder() / f"{model}.keras"
    stored = load_card(weights)
    options = with_card_sets(options, protocol, stored)
    samples = protocol_samples(options, protocol, stored.seed)
    card = calibrate(weights, samples, load_outliers(options.folder))
    return f"{card.weights}: {calibration_summary(card)}"


def _calibrate_sequences(model: str, protocol: Protocol, options: DataOptions) -> str:
    from utils.training.sequence_calibration import calibrate_sequences

    stored = load_card(protocol.networks_folder() / f"{model}.keras")
    check_weights(stored)
    options = with_card_sets(options, protocol, stored)
    card = calibrate_sequences(stored, protocol_samples(options, protocol, stored.seed))
    if card is stored:
        raise CommandError(
            "These data sets lack samples of a sequence or plane in a part; add more collections."
        )
    return f"{card.weights}: {recognition_summary(card)}"


def recognition_summary(card: Card) -> str:
    """The accuracy of both classifiers on the validation part, "" without them."""
    facts = card.sequences
    if facts is None:
        return ""
    return "; ".join(
        f"{kind}: {percent(each.accuracy, 1)} of {sum(each.validated_on.values())} validation images, answers "
        f"{percent(each.answered, 1)} above probability {each.threshold}"
        for kind, each in (("sequence", facts.sequence), ("plane", facts.plane))
    )


def _calibrate_bfloat16(model: str, protocol: Protocol, options: DataOptions, command_line: str) -> str:
    from utils.training.bfloat16 import calibrate_bfloat16

    check_bfloat16()  # before the samples are looked for
    weights = protocol.networks_folder() / f"{model}.keras"
    stored = load_card(weights)
    options = with_card_sets(options, protocol, stored)
    card = calibrate_bfloat16(weights, protocol_samples(options, protocol, stored.seed), command_line)
    assert card.bfloat16 is not None
    return f"{card.weights}: in bfloat16 {card.bfloat16.model_dump_json()}"


def with_card_sets(options: DataOptions, protocol: Protocol, card: Card) -> DataOptions:
    """The data sets that a network was trained on, where none are chosen; an external test adds its own."""
    if options.sets or protocol.left_out or protocol.tested_families or protocol.name != card.protocol:
        return options
    return DataOptions(options.folder, card.sources, options.patients)
