"""What the command line takes: `python model.py COMMAND --help` tells it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from utils.datasets.protocols import command_names
from utils.evidence.cams import METHODS
from utils.networks.cards import OUTLINERS
from utils.paths import models_folder

Command = Callable[[argparse.Namespace], int]
NETWORKS = ("cnn", "vgg16", "resnet101v2")
TEACHERS = ("mobilenetv2",)  # networks that the others learn from; the app does not read with them
BASELINES = ("1-nn", "logistic", "shortcut")


class CommandError(ValueError):
    """Arguments that do not fit together. Its text says what to do."""


def parser(description: str | None, commands: Mapping[str, Command]) -> argparse.ArgumentParser:
    """The whole command line; `commands` gives the function that each of its commands runs."""
    whole = argparse.ArgumentParser(prog="model.py", description=description)
    children = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        child = children.add_parser(name, help=text, description=text)
        child.set_defaults(run=commands[name])
        return child

    def data_options(child: argparse.ArgumentParser, required: bool = True) -> None:
        child.add_argument(
            "--data", type=Path, required=required, help="the folder that holds the data sets, or one set"
        )
        child.add_argument(
            "--sets", nargs="+", type=str, help="use only these sets (default: what the protocol asks for)"
        )

    def protocol_options(
        child: argparse.ArgumentParser, models: tuple[str, ...] = NETWORKS, required: bool = True
    ) -> None:
        child.add_argument("--model", choices=models, required=required)
        child.add_argument("--protocol", choices=command_names(), default="patient-disjoint")
        child.add_argument(
            "--left-out", default="feltrin44", help="for --protocol leave-one-source-out: the set to test on"
        )
        child.add_argument(
            "--patients", type=Path, help="for --protocol folder: a CSV with the columns file, patient"
        )
        data_options(child)

    child = command("data", "Audit a data folder: counts, unreadable files, duplicates across splits, 1-NN.")
    data_options(child, required=False)
    child.add_argument("--download", choices=("nickparvar",), help="get the set from Kaggle first")

    child = command("train", "Train a network; goes on where an interrupted run stopped.")
    protocol_options(child, (*NETWORKS, *TEACHERS, *OUTLINERS), required=False)
    child.add_argument("--recipe", help="a recipe of utils/training/recipes.py instead of a network's own")
    child.add_argument(
        "--epochs",
        type=int,
        nargs="+",
        default=[],
        help="in all, or one number a phase (default: the recipe's)",
    )
    child.add_argument("--batch-size", type=int)
    child.add_argument("--seed", type=int, default=0)
    child.add_argument(
        "--base-weights",
        help='"imagenet" to download (default; cnn begins with nothing), a file that holds such weights, or '
        "the .keras file of another network of this protocol, for the layers that both have",
    )
    child.add_argument(
        "--teacher", nargs="+", default=[], type=Path, help=".keras files of the same protocol to learn from"
    )
    child.add_argument("--output", type=Path, help="folder for the network and its card")
    child.add_argument("--restart", action="store_true", help="drop an unfinished run")

    child = command(
        "calibrate",
        "Fit temperature, referral threshold, map scale and gate, or how outlines are drawn, again (validation data). "
        "Without --model: from which mean probability on the common answer of the app's networks counts.",
    )
    protocol_options(child, (*NETWORKS, *TEACHERS, *OUTLINERS), required=False)

    child = command("evaluate", "Measure a network on the test part of a protocol.")
    protocol_options(child, (*NETWORKS, *TEACHERS, *OUTLINERS, *BASELINES))
    child.set_defaults(seed=0)
    child.add_argument("--weights", type=Path, help="other weights than those of the protocol")
    child.add_argument(
        "--output", type=Path, default=models_folder() / "evaluation", help="folder for the figures"
    )
    child.add_argument("--json", type=Path, help="write the figures to this file too")
    child.add_argument(
        "--robustness",
        action="store_true",
        help="how accuracy falls under noise, blur, rotation, ... instead",
    )
    child.add_argument(
        "--explanations",
        action="store_true",
        help="how far the evidence maps can be trusted, against the tumours' masks, instead",
    )
    child.add_argument(
        "--part",
        choices=("test", "validation"),
        default="test",
        help="validation: to choose something without opening the test part",
    )
    child.add_argument("--layer", help="for --explanations: another layer than the evidence layer")

    child = command("predict", "Read scans: JSON Lines, one line an image or slice.")
    child.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    child.add_argument("--model", help="one network only (default: all)")
    child.add_argument("--output", type=Path, help="a file instead of standard output")

    child = command(
        "explain",
        "Write evidence maps: STEM.cam.npy and STEM.overlay.png; STEM-sliceNNN for a stack.",
    )
    child.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    child.add_argument("--model", required=True)
    child.add_argument("--class", dest="label", help="the class to explain (default: the predicted one)")
    child.add_argument("--method", choices=METHODS, default="gradcam")
    child.add_argument("--layer", help="another convolution than the network's evidence layer")
    child.add_argument("--output", type=Path, required=True, help="folder for the results")

    child = command(
        "cases",
        "What the case store holds, as a CSV table or as class folders for train --protocol folder.",
    )
    child.add_argument("--export", type=Path, metavar="FILE", help="write the cases to a CSV table")
    child.add_argument("--originals", type=Path, metavar="DIR", help="where the files that were read are")
    child.add_argument("--output", type=Path, metavar="DIR", help="a new folder for copies, by class")

    child = command(
        "segment",
        "Outline tumours: STEM.mask.png and STEM.outline.png; STEM-sliceNNN for a stack. JSON Lines, one an image.",
    )
    child.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    child.add_argument("--output", type=Path, required=True, help="folder for the results")
    return whole


def without_paths(arguments: list[str]) -> list[str]:
    """The command line with the machine's own data paths replaced, so that a card can show it."""
    arguments = [part for one in arguments for part in (one.split("=", 1) if one.startswith("--") else [one])]
    shown = list(arguments)
    option = ""
    for position, argument in enumerate(arguments):
        if argument.startswith("--"):
            option = argument
        elif option == "--data":
            shown[position] = "DIR"
        elif option in ("--base-weights", "--output", "--json", "--patients", "--weights", "--teacher"):
            shown[position] = Path(argument).name
    return shown
