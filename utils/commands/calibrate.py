"""`model.py calibrate`: fit again what a network's outputs are read with, on validation data."""

from __future__ import annotations

import argparse
import json

from utils.commands.samples import DataOptions, add_protocol_arguments, data_options, protocol_samples
from utils.datasets.protocols import Protocol, protocol_named
from utils.networks.cards import load_card
from utils.networks.registry import NETWORKS, is_segmenter

SUMMARY = (
    "Fit temperature, referral threshold, map scales and out-of-distribution detector, or the operating point of a "
    "segmentation network, again on validation data. Without --model: the referral threshold of the ensemble."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_protocol_arguments(parser, NETWORKS, is_model_required=False)


def run(args: argparse.Namespace) -> int:
    protocol = protocol_named(args.protocol, args.left_out)
    options = data_options(args.data, args.sets, args.patients)
    if args.model is None:
        print(_calibrate_ensemble(protocol, options, args.command_line))
    else:
        print(_calibrate_network(args.model, protocol, options))
    return 0


def calibration_summary(facts: dict) -> str:
    """The values that were fitted on the validation part, and the figures there, from the facts of a card."""
    from utils.evaluation.outline_figures import in_words

    validation = facts["validation"]
    if facts["task"] == "segmentation":
        point = f"segmented above probability {facts['threshold']} where a region reaches {facts['peak']}"
        return f"{point}; validation: {in_words(validation)}"
    summary = (
        f"temperature {facts['temperature']}, referral threshold {facts['referral_threshold']}; "
        f"validation {json.dumps(validation)}"
    )
    detector = facts.get("novelty")
    if detector is None:
        return summary
    return (
        f"{summary}\nout-of-distribution detector: unusual above {detector['unusual']:.3f}, "
        f"refused above {detector['refused']:.3f}: {detector['validation']}"
    )


def _calibrate_ensemble(protocol: Protocol, options: DataOptions, command_line: str) -> str:
    from utils.training.release import calibrate_together

    record = calibrate_together(protocol_samples(options, protocol, seed=0), command_line)
    return (
        f"ensemble of {' and '.join(record['weights_sha256'])}: referral threshold {record['referral_threshold']}; "
        f"validation {json.dumps(record['validation'])}"
    )


def _calibrate_network(model: str, protocol: Protocol, options: DataOptions) -> str:
    from utils.training.release import calibrate

    weights = protocol.networks_folder() / f"{model}.keras"
    facts = load_card(weights).facts
    options = with_card_sets(options, protocol, facts)
    card = calibrate(weights, protocol_samples(options, protocol, facts["seed"], is_segmenter(model)))
    return f"{card.weights}: {calibration_summary(card.facts)}"


def with_card_sets(options: DataOptions, protocol: Protocol, facts: dict) -> DataOptions:
    """The data sets that a network was trained on, where none are chosen; an external test adds its own."""
    if options.sets or protocol.left_out:
        return options
    return DataOptions(options.folder, tuple(facts["sources"]), options.patients)
