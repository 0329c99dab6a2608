"""`model.py train`: train a network, calibrate it and write it with its card."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.commands.calibrate import calibration_summary
from utils.commands.errors import CommandError
from utils.commands.outputs import check_output_folder
from utils.commands.run_folder import check_checkpoint, open_run_folder
from utils.commands.samples import DataOptions, add_protocol_arguments, data_options, protocol_samples
from utils.datasets.protocols import Protocol, protocol_named, protocol_of_recipe
from utils.networks.cards import load_card
from utils.networks.registry import NETWORKS, is_segmenter

if TYPE_CHECKING:
    from utils.reading.reader import Reader
    from utils.training.recipes import Recipe

SUMMARY = "Train a network; an interrupted training is resumed."
RUNS = Path("runs")
SEGMENTATION_CLASSES = ("tumor",)
RUN_OPTIONS = ("data", "epochs", "batch_size", "seed", "base_weights", "teacher", "sets", "patients")


@dataclass(frozen=True)
class TrainingOptions:
    """What to train, from the command's options. `run_options`: what an interrupted run must have in common."""

    name: str
    recipe: Recipe
    protocol: Protocol
    data: DataOptions
    seed: int
    base_weights: str | None
    teachers: tuple[Path, ...]
    output: Path | None
    run_options: dict[str, str]
    is_restarted: bool
    command_line: str

    @property
    def run_folder(self) -> Path:
        """Checkpoints of the training; deleted when it is finished."""
        return RUNS / self.protocol.name / self.name

    @property
    def output_folder(self) -> Path:
        """Where the network is written: by default the protocol's folder, for a teacher one among the runs."""
        if self.output:
            return self.output
        is_teacher = NETWORKS[self.recipe.network].is_teacher and protocol_of_recipe(self.name) is None
        return RUNS / "teachers" / self.protocol.name if is_teacher else self.protocol.networks_folder()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_protocol_arguments(parser, NETWORKS, is_model_required=False)
    parser.add_argument(
        "--recipe", help="a recipe of utils/training/recipes.py (default: the one named like --model)"
    )
    parser.add_argument(
        "--epochs",
        type=int,
        nargs="+",
        default=[],
        help="a total, or one number for each phase (default: those of the recipe)",
    )
    parser.add_argument("--batch-size", type=int, help="images in a step (default: that of the recipe)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    parser.add_argument(
        "--base-weights",
        help='initial checkpoint: "imagenet" to download (default; none for a network that is trained from scratch), '
        "a file with such weights, or the .keras file of another network of this protocol, for the layers that both "
        "have",
    )
    parser.add_argument(
        "--teacher",
        nargs="+",
        default=[],
        type=Path,
        help=".keras files of the same protocol to learn from (knowledge distillation)",
    )
    parser.add_argument("--output", type=Path, help="folder for the network and its card")
    parser.add_argument("--restart", action="store_true", help="delete an interrupted run and start again")


def run(args: argparse.Namespace) -> int:
    if (args.model is None) == (args.recipe is None):
        raise CommandError("Choose what to train: --model NAME or --recipe NAME.")
    name = args.recipe or args.model
    recipe = _recipe(name, args.epochs, args.batch_size)
    protocol = protocol_of_recipe(name) or protocol_named(args.protocol, args.left_out)
    run_options = {"model": recipe.network, "protocol": protocol.name}
    run_options |= {option: str(getattr(args, option)) for option in RUN_OPTIONS}
    default_weights = "imagenet" if NETWORKS[recipe.network].imagenet else None
    options = TrainingOptions(
        name=name,
        recipe=recipe,
        protocol=protocol,
        data=data_options(args.data, args.sets, args.patients),
        seed=args.seed,
        base_weights=args.base_weights or default_weights,
        teachers=tuple(args.teacher),
        output=args.output,
        run_options=run_options,
        is_restarted=args.restart,
        command_line=args.command_line,
    )
    print(_train(options))
    return 0


def _recipe(name: str, epochs: Sequence[int], batch_size: int | None) -> Recipe:
    from utils.training.recipes import RECIPES

    if name not in RECIPES:
        raise CommandError(f"There is no recipe {name}; choose one of {', '.join(RECIPES)}.")
    try:
        return RECIPES[name].changed(epochs, batch_size)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _train(options: TrainingOptions) -> str:
    """Train, calibrate and write the network; returns a summary."""
    from utils.training import loop, release

    is_segmentation = is_segmenter(options.recipe.network)
    if options.teachers and is_segmentation:
        raise CommandError("Teachers predict classes; segmentation is learned from masks only.")
    check_output_folder(options.output_folder)  # before hours of training
    recipe = options.recipe
    samples = protocol_samples(
        options.data,
        options.protocol,
        options.seed,
        is_segmentation,
        recipe.has_boxes,
        recipe.has_image_labels,
    )
    classes = SEGMENTATION_CLASSES if is_segmentation else options.protocol.classes_of(samples)
    teachers = _checked_checkpoints(options, classes)
    open_run_folder(options.run_folder, options.run_options, options.is_restarted)
    plan = loop.TrainingPlan(options.recipe, options.seed, options.base_weights, classes)
    trained = loop.train(plan, samples, options.run_folder, [teacher.network for teacher in teachers])
    origin = release.Origin(
        plan,
        options.protocol.name,
        options.command_line,
        tuple(teacher.card for teacher in teachers),
    )
    card = release.release(trained, samples, options.output_folder, origin)
    shutil.rmtree(options.run_folder)
    return f"{card.weights}: {calibration_summary(card)}"


def _checked_checkpoints(options: TrainingOptions, classes: Sequence[str]) -> list[Reader]:
    """The teachers; raises CommandError where they or the initial checkpoint do not suit the training."""
    from utils.reading.reader import Reader

    checkpoint = options.base_weights if str(options.base_weights).endswith(".keras") else None
    if options.recipe.is_averaged and checkpoint is None:
        raise CommandError(f"{options.name} needs an initial checkpoint: --base-weights FILE.keras.")
    teachers = [Reader.load(file) for file in options.teachers]
    for teacher in teachers:
        check_checkpoint("teacher", teacher.card, options.protocol)
        if tuple(teacher.classes) != tuple(classes):
            raise CommandError(
                f"The teacher has {len(teacher.classes)} output classes, the network {len(classes)} others."
            )
    if checkpoint is not None:
        check_checkpoint("initial checkpoint", load_card(Path(checkpoint)), options.protocol)
    return teachers
