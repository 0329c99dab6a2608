"""The command line: one parser for all commands, and errors as one sentence."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from utils.commands.command_line import command_line
from utils.networks.runtime.choice import choose, reference

DESCRIPTION = (
    "Brain MRI reader: train, evaluate and apply networks. For research, not for diagnosis. "
    "`python model.py COMMAND --help` describes a command."
)
# Every module of utils.commands has SUMMARY, add_arguments(parser) and run(args) -> exit code
COMMANDS = (
    "data", "train", "calibrate", "evaluate", "predict", "explain", "accept", "cases", "segment", "objects", "node",
    "study", "archive", "archive-report",
)  # fmt: skip
MEASURING = ("train", "calibrate", "evaluate")  # in float32, unless another runtime is demanded
STOPPED = 130  # the exit code of shells after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command (`arguments`, by default those of the process) and return its exit code.

    0: done; 1: no file could be processed; 2: wrong options, or something missing or unusable, which is described in
    one sentence on standard error; 130: stopped with Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    names = [name for name in COMMANDS if name == next(iter(arguments), None)] or COMMANDS
    args = build_parser(names).parse_args(arguments)
    args.command_line = command_line(arguments)
    try:
        with choose(getattr(args, "runtime", None)), reference() if args.is_measuring else nullcontext():
            return args.run(args)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return STOPPED
    except Exception as error:
        if isinstance(error, _user_errors()):
            print(f"error: {error}", file=sys.stderr)
        elif isinstance(error, OSError):  # a file that is missing, or cannot be read or written
            print(f"error: {error.filename or 'output'}: {error.strerror or error}.", file=sys.stderr)
        else:
            raise
    return 2


def build_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of these commands; `run` of its result is the function of the chosen command.

    Only their modules are imported: those of other commands bring pandas and take a second.
    """
    parser = argparse.ArgumentParser(prog="model.py", description=DESCRIPTION)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in names:
        module = importlib.import_module(f"utils.commands.{name.replace('-', '_')}")
        child = commands.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        child.set_defaults(run=module.run, is_measuring=name in MEASURING)
        module.add_arguments(child)
    return parser


def _user_errors() -> tuple[type[Exception], ...]:
    """The errors that a user can correct; importing them all takes a second."""
    from utils.acceptance.profile import SiteProfileError
    from utils.archive.errors import ArchiveRunError
    from utils.cases.store import CaseStoreError
    from utils.commands.errors import CommandError
    from utils.datasets.tables import DatasetError
    from utils.dicomweb.errors import ArchiveError
    from utils.networks.cards import NetworkUnavailable
    from utils.scans.errors import UnreadableScan

    return (
        DatasetError, NetworkUnavailable, UnreadableScan, CaseStoreError, CommandError, ArchiveError, ArchiveRunError,
        SiteProfileError,
    )  # fmt: skip
