"""Checks before a training: its run folder, and the networks that it learns from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from utils.commands.errors import CommandError
from utils.datasets.protocols import Protocol, protocol_named
from utils.networks.cards import Card


def open_run_folder(folder: Path, options: Mapping[str, str], is_restarted: bool) -> None:
    """Make the run folder of a training with these options; `is_restarted` deletes an interrupted run first.

    Raises CommandError where it holds an interrupted run with other options.
    """
    file = folder / "arguments.json"
    if is_restarted:
        shutil.rmtree(folder, ignore_errors=True)
    if file.is_file() and json.loads(file.read_text()) != options:
        raise CommandError(
            f"{folder} holds an unfinished run with other options; add --restart to delete it."
        )
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(dict(options), indent=1))


def check_checkpoint(role: str, card: Card, protocol: Protocol) -> None:
    """Raises CommandError where a teacher or initial checkpoint may have learned from test images of a protocol.

    The new network would inherit what it knows about them. role: "teacher" or "initial checkpoint".
    """
    trained_under = card.protocol
    if not protocol.is_unseen_by(protocol_named(trained_under), card.sources):
        raise CommandError(
            f"The {role} was trained under the {trained_under} protocol and may know test images of "
            f"{protocol.name}; use one that was trained under {protocol.name}."
        )
