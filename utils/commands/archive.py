"""`model.py archive`: read an archive of any size into one Parquet data set, on all cores or on a Ray cluster."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from utils.commands.errors import CommandError
from utils.commands.inputs import (
    add_runtime_argument,
    add_site_profile_argument,
    check_ensemble,
    site_profile,
)
from utils.commands.outputs import check_output_folder

MISSING = "Archives need Ray; install it with pip install -r requirements-archive.txt."
SUMMARY = "Read an archive: a Parquet data set, one row a slice or refusal. The same command resumes it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", nargs="+", metavar="SOURCE", help="files, folders, ZIPs, s3:// or file:// URIs"
    )
    parser.add_argument(
        "--output",
        type=_folder,
        required=True,
        help="folder of this machine for the data set and its records",
    )
    parser.add_argument("--workers", type=_positive, help="processes with the networks (default: all cores)")
    parser.add_argument("--threads", type=_positive, default=1, help="cores for each of them")
    parser.add_argument(
        "--ray",
        type=_address,
        metavar="ADDRESS",
        help="HOST:PORT: use this Ray cluster instead of starting Ray here",
    )
    parser.add_argument(
        "--shard-size", type=_positive, default=4096, help="slices in one file of the data set, about"
    )
    add_site_profile_argument(parser)
    add_runtime_argument(parser)


def run(args: argparse.Namespace) -> int:
    try:
        import ray.data  # noqa: F401

        from utils.archive.cluster import Workers
        from utils.archive.run import Settings, read_archive
    except ImportError:
        raise CommandError(MISSING) from None

    check_output_folder(args.output)
    workers = Workers(args.workers, args.threads, args.ray)
    check_ensemble()
    profile = site_profile(args)
    settings = Settings(args.sources, args.output, args.shard_size, workers, args.command_line, profile)
    try:
        counts = read_archive(settings).counts
    except KeyboardInterrupt:
        print("Stopped; the same command goes on.", file=sys.stderr)
        return 130
    assert counts is not None
    print(f"{counts.rows} rows, {counts.accepted} accepted, in {args.output}")
    return 0 if counts.accepted else 1


def _folder(text: str) -> Path:
    if "://" in text:
        raise argparse.ArgumentTypeError(
            "must be a folder of this machine: files are renamed into place, which storage services cannot do"
        )
    return Path(text)


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        raise argparse.ArgumentTypeError("must be HOST:PORT, as `ray start` prints it")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
