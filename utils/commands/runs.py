"""What a training may begin with or go on from."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from utils.commands.arguments import CommandError
from utils.datasets.protocols import protocol_named
from utils.networks.cards import Card


def check_run(run_folder: Path, args: argparse.Namespace) -> None:
    """An unfinished run is only gone on with under the arguments that it was started with."""
    keys = (
        "model",
        "protocol",
        "data",
        "epochs",
        "batch_size",
        "seed",
        "base_weights",
        "teacher",
        "sets",
        "patients",
    )
    wanted = {key: str(getattr(args, key)) for key in keys}
    file = run_folder / "arguments.json"
    if args.restart:
        shutil.rmtree(run_folder, ignore_errors=True)
    if file.is_file() and json.loads(file.read_text()) != wanted:
        raise CommandError(
            f"{run_folder} holds an unfinished run with other arguments; add --restart to drop it."
        )
    run_folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(wanted, indent=1))


def check_forerunner(what: str, card: Card, protocol: str) -> None:
    """A teacher, or weights to start from, that have seen the test part would hand on what they know of it.

    What learned under `patient-disjoint` or with a source left out knows nothing of fold 0, nor of other sources.
    Raises CommandError.
    """
    trained_under = protocol_named(card.facts["protocol"])
    if not protocol_named(protocol).is_unseen_by(trained_under, card.facts["sources"]):
        raise CommandError(
            f"The {what} was trained under the {card.facts['protocol']} protocol and may know test images of "
            f"{protocol}; train it with --protocol {protocol} first."
        )
