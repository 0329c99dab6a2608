"""The command line: one parser for all commands, and errors as one sentence."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from utils.cases.store import CaseStoreError
from utils.commands import (
    calibrate,
    cases,
    data,
    evaluate,
    explain,
    node,
    objects,
    predict,
    segment,
    study,
    train,
)
from utils.commands.command_line import command_line
from utils.commands.errors import CommandError
from utils.datasets.tables import DatasetError
from utils.dicomweb.errors import ArchiveError
from utils.networks.cards import NetworkUnavailable
from utils.scans.errors import UnreadableScan

DESCRIPTION = (
    "Brain MRI reader: train, evaluate and apply networks. For research, not for diagnosis. "
    "`python model.py COMMAND --help` describes a command."
)
# Every module has SUMMARY, add_arguments(parser) and run(args) -> exit code
COMMANDS = {
    "data": data,
    "train": train,
    "calibrate": calibrate,
    "evaluate": evaluate,
    "predict": predict,
    "explain": explain,
    "cases": cases,
    "segment": segment,
    "objects": objects,
    "node": node,
    "study": study,
}
USER_ERRORS = (DatasetError, NetworkUnavailable, UnreadableScan, CaseStoreError, CommandError, ArchiveError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (`arguments`, by default those of the process) and return its exit code.

    0: done; 1: no file could be processed; 2: wrong options, or something missing or unusable, which is described in
    one sentence on standard error.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    args = build_parser().parse_args(arguments)
    args.command_line = command_line(arguments)
    try:
        return args.run(args)
    except USER_ERRORS as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:  # a file that is missing, or cannot be read or written
        print(f"error: {error.filename or 'output'}: {error.strerror or error}.", file=sys.stderr)
    return 2


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; `run` of its result is the function of the chosen command."""
    parser = argparse.ArgumentParser(prog="model.py", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        child = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        child.set_defaults(run=module.run)
        module.add_arguments(child)
    return parser
