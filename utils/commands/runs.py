"""What a training may begin with or go on from."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from utils.commands.arguments import CommandError
from utils.datasets.protocols import LEAVE_OUT
from utils.datasets.samples import SOURCES
from utils.networks.cards import Card

ON_FOLD_0 = ("patient-disjoint", "feltrin44")  # protocols whose test part lies in fold 0


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
    known = card.facts["protocol"]
    by_fold = known == "patient-disjoint" or known.startswith(LEAVE_OUT)
    tested = protocol.removeprefix(LEAVE_OUT).removesuffix("-random")
    unseen = protocol not in ON_FOLD_0 and tested in SOURCES and tested not in card.facts["sources"]
    if known != protocol and not (by_fold and (unseen or protocol in ON_FOLD_0)):
        raise CommandError(
            f"The {what} was trained under the {card.facts['protocol']} protocol and may know test images of "
            f"{protocol}; train it with --protocol {protocol} first."
        )
