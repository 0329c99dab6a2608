"""The scans and networks of the commands that read scans."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from utils.commands.errors import CommandError
from utils.networks.runtime.choice import RUNTIMES
from utils.networks.shipped import ensemble_problem, reading_networks
from utils.paths import models_folder
from utils.scans.files import Input, files_in, output_stems, read_files
from utils.scans.scan import Scan

if TYPE_CHECKING:
    from utils.reading.reader import Reader
    from utils.records.acceptance import SiteProfile


def scans_and_targets(paths: Iterable[Path], output: Path) -> Iterator[tuple[Input, Scan, Path]]:
    """Every readable scan of `paths`, with the stem of its result files below `output`; its folder exists.

    What cannot be read is named on standard error, with the reason.
    """
    files = list(dict.fromkeys(files_in(paths)))
    stems = dict(zip(files, output_stems(files), strict=True))
    for item in read_files(files):
        if item.scan is None:
            print(f"{item.file}: {item.reason}", file=sys.stderr)
            continue
        target = output / item.stem(stems[item.path])
        target.parent.mkdir(parents=True, exist_ok=True)
        yield item, item.scan, target


def add_runtime_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        help="what computes the networks (default: BRAIN_MRI_RUNTIME, else openvino where the package is installed)",
    )


def add_site_profile_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--site-profile",
        type=Path,
        metavar="FILE",
        help="answer with this profile of `accept` (default: BRAIN_MRI_SITE_PROFILE, else as evaluated)",
    )


def site_profile(args: argparse.Namespace) -> SiteProfile | None:
    """The chosen or configured site profile, for all networks. Raises SiteProfileError."""
    from utils.acceptance.profile import default_profile, read_profile

    return read_profile(args.site_profile) if args.site_profile else default_profile()


def check_ensemble() -> None:
    """Raises CommandError where the ensemble's file is damaged: answers would silently be those of single networks."""
    if problem := ensemble_problem():
        raise CommandError(
            f"There is no ensemble: {problem} Restore the file, or fit it again with `calibrate`."
        )


def weights_of(model: str | None) -> list[Path]:
    """The weights of one of the app's networks, or of all of them. Raises CommandError for an unknown name."""
    known = {weights.stem: weights for weights in reading_networks()}
    if model is None:
        return list(known.values())
    if model not in known:
        raise CommandError(f"There is no network {model} in {models_folder()}; there are {', '.join(known)}.")
    return [known[model]]


def check_layer(reader: Reader, layer: str | None) -> None:
    """Raises CommandError where a network has no such layer with maps."""
    if layer and layer not in reader.layers:
        raise CommandError(
            f"{reader.card.name} has no layer {layer} with maps; choose one of {', '.join(reader.layers)}."
        )
